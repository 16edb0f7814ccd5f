/** What the service answers, as far as the viewer reads it (docs/openapi.json has all of it). */

/** Patient LPS, millimetres. */
export type Vec3 = readonly [number, number, number];

export type Side = "left" | "right";

export interface FieldError {
  readonly field: string;
  readonly code: string;
  readonly message: string;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors: readonly FieldError[];
}

export interface Sample {
  readonly name: string;
  readonly title: string;
}

export interface CaseSummary {
  readonly case_id: string;
  readonly created: string;
  readonly name: string;
  readonly structures: number;
}

export interface MeshProblem {
  readonly code: string;
  readonly severity: string;
  readonly message: string;
  readonly count: number;
}

export interface Structure {
  readonly name: string;
  readonly kind: string;
  readonly level: string | null;
  readonly side: Side | null;
  readonly bounds_mm: readonly [Vec3, Vec3];
  readonly faces?: number;
  readonly closed?: boolean;
  readonly problems?: readonly MeshProblem[];
  /** Only of derived structures: how sure, and from what. */
  readonly confidence?: number;
  readonly reason?: string | null;
  readonly widened_mm?: number;
}

export interface Instrument {
  readonly structure: string;
  readonly available: boolean;
  readonly level?: string | null;
  readonly side?: Side | null;
}

export interface Corridor {
  readonly place: string;
  readonly circle: { readonly centre_mm: Vec3; readonly radius_mm: number };
  readonly outlines_mm: readonly (readonly Vec3[])[];
}

export interface Pedicle {
  readonly available: boolean;
  readonly centre_mm: Vec3 | null;
  /** Through the isthmus, from posterior to anterior. */
  readonly axis: Vec3 | null;
  readonly corridors?: readonly Corridor[];
}

export interface Vertebra {
  readonly pedicles: Readonly<Record<Side, Pedicle>>;
  readonly structure: string;
  readonly level: string | null;
  readonly available: boolean;
  readonly frame: { readonly origin_mm: Vec3 } | null;
}

export interface CaseDescription {
  readonly case_id: string;
  readonly name: string;
  readonly digest: string;
  readonly patient_position: string | null;
  readonly structures: readonly Structure[];
  readonly vertebrae: readonly Vertebra[];
  readonly screws: readonly Instrument[];
  readonly cages: readonly Instrument[];
  readonly hardware_findings: readonly (MeshProblem & { readonly structure: string })[];
  readonly derived: {
    readonly structures: readonly Structure[];
    readonly missing: readonly { readonly kind: string; readonly reason: string }[];
  };
  readonly findings: Readonly<Record<string, object>>;
  readonly warnings: readonly MeshProblem[];
}

export type Target =
  | { readonly type: "anterior_body"; readonly level: string }
  | { readonly type: "screw_halo"; readonly screw: string }
  | { readonly type: "screw_tip"; readonly screw: string }
  | { readonly type: "cage_interface"; readonly cage: string; readonly end: "cranial" | "caudal" }
  | { readonly type: "lesion"; readonly structure: string }
  | { readonly type: "point"; readonly position_mm: Vec3; readonly tolerance_mm: number };

/** How near a needle may come to one kind of structure; `hard_mm` null only warns. */
export interface Rule {
  readonly hard_mm: number | null;
  readonly preferred_mm: number;
}

export interface PlanOptions {
  readonly approaches?: readonly string[];
  readonly sides?: readonly Side[];
  readonly needles?: readonly string[];
  readonly policy?: Readonly<Record<string, Rule>>;
  readonly c_arm?: string;
  readonly certificate_tolerance_mm?: number;
}

export interface PlanRequest extends PlanOptions {
  readonly target: Target;
}

export interface SessionRequest extends PlanOptions {
  readonly targets: readonly Target[];
}

export interface Line {
  readonly type: "line";
  readonly start_mm: Vec3;
  readonly end_mm: Vec3;
}

export interface Arc {
  readonly type: "arc";
  readonly start_mm: Vec3;
  readonly end_mm: Vec3;
  readonly centre_mm: Vec3;
  readonly radius_mm: number;
  readonly angle_deg: number;
}

export type Piece = Line | Arc;

export interface Clearance {
  readonly structure: string;
  readonly kind: string;
  readonly distance_mm: number;
  readonly required_mm: number | null;
  readonly margin_mm: number | null;
  readonly at_depth_mm: number;
  readonly nearest_point_mm: Vec3;
  readonly path_point_mm: Vec3;
  readonly traversed?: true;
  readonly contact_allowed?: true;
  readonly advisory?: true;
  readonly derived?: true;
}

export interface Angles {
  readonly primary_deg: number;
  readonly secondary_deg: number;
}

export interface View {
  readonly role: string;
  readonly dicom: Angles;
  readonly console: Angles & { readonly assumes: string };
  readonly assumption: string;
  readonly label: string;
  readonly reachable: boolean;
  readonly hardware_overlap: number | null;
  readonly tip_hidden: boolean | null;
  readonly hidden: {
    readonly tip: number;
    readonly target: number | null;
    readonly posterior_wall: number | null;
    readonly nearby: number | null;
  } | null;
  /** [DICOM primary, DICOM secondary, reachable], degrees. */
  readonly curve?: readonly (readonly [number, number, boolean])[];
}

/** How much to fill and where to stop: guidance, no order. */
export interface Cement {
  readonly goal: { readonly least_ml: number; readonly aim_ml: number; readonly most_ml: number; readonly source: string };
  readonly cap_ml: number | null;
  readonly cap_by: string | null;
  readonly expected_ml: number;
  readonly stops: readonly { readonly name: string; readonly distance_mm: number; readonly stops: boolean }[];
  readonly checks: readonly string[];
  readonly assumptions: readonly string[];
}

export interface Tamp {
  readonly eligible: boolean;
  readonly reason: string;
  readonly size: string | null;
  readonly volume_ml: number | null;
}

export interface Trajectory {
  readonly rank: number;
  readonly approach: string | null;
  readonly side: Side | null;
  readonly technique: string;
  readonly needle: string;
  readonly entry_skin_mm: Vec3;
  readonly entry_bone_mm: Vec3 | null;
  readonly tip_mm: Vec3;
  readonly path: readonly Piece[];
  readonly outer_diameter_mm: number;
  readonly length_mm: number;
  readonly depth_to_bone_mm: number | null;
  readonly clearances: readonly Clearance[];
  readonly margin_mm: number;
  readonly limiting_structure: string | null;
  readonly reaches_target: boolean;
  readonly tolerance: { readonly entry_mm: number; readonly angle_deg: number } | null;
  readonly breach_probability: {
    readonly profile: string;
    readonly total: number;
    readonly worst_structure: string | null;
  };
  readonly views: readonly View[];
  readonly cautions: readonly string[];
  readonly reasons: readonly string[];
  readonly cement: Cement | null;
  readonly tamp: Tamp | null;
  /** Where a curved needle goes that is turned in its cannula. */
  readonly second_arc: { readonly path: readonly Piece[]; readonly turn_clockwise_deg: number; readonly margin_mm: number } | null;
}

export interface Opening {
  readonly change: string;
  readonly subject: string;
  readonly hard_mm: number | null;
  readonly margin_mm: number;
}

export interface Certificate {
  readonly approach: string;
  readonly side: Side;
  readonly needle: string;
  readonly status: "found" | "infeasible" | "stopped";
  readonly best_margin_mm: number | null;
  readonly upper_bound_mm: number | null;
  readonly limiting_structures: readonly string[];
  readonly statement: string;
  readonly why_not: {
    readonly blocked_by: readonly string[];
    readonly openings: readonly Opening[];
  } | null;
}

export interface Plan {
  readonly schema: "trocar/plan/1";
  readonly case_digest: string;
  readonly planner_version: string;
  readonly outcome: "found" | "no_safe_path" | "target_unreachable" | "stopped";
  readonly explanation: string;
  readonly trajectories: readonly Trajectory[];
  readonly certificates: readonly Certificate[];
  readonly warnings: readonly string[];
}

/** The answer for several targets: the plan of each, and what was chosen together. */
export interface Session {
  readonly schema: "trocar/session/1";
  readonly outcome: string;
  readonly explanation: string;
  readonly targets: readonly {
    readonly label: string;
    readonly chosen_ranks: readonly number[];
    readonly reason: string;
    readonly cement: Cement | null;
    readonly plan: Plan;
  }[];
  /** Numbers of the targets, from 0: here and under `neighbours`. */
  readonly order: readonly number[];
  readonly spacing: {
    readonly gap_mm: number;
    readonly neighbours: readonly {
      readonly first: { readonly target: number; readonly rank: number; readonly part: string };
      readonly second: { readonly target: number; readonly rank: number; readonly part: string };
      readonly distance_mm: number;
    }[];
  };
  readonly warnings: readonly string[];
}

/** A place of the skin, and the best path that was found from it; null where there is none. */
export interface Place {
  readonly entry_mm: Vec3;
  readonly margin_mm: number | null;
  readonly limiting_structure: string | null;
  readonly tip_mm: Vec3 | null;
  readonly approach: string | null;
  readonly side: Side | null;
  readonly needle: string | null;
}

export interface SkinMap {
  readonly schema: "trocar/skin-map/1";
  readonly step_deg: number;
  readonly places: readonly Place[];
}

export interface PlanState {
  readonly schema: "trocar/plan-state/1";
  readonly plan_id: string;
  readonly case_id: string;
  readonly state: string;
  readonly problem: Problem | null;
}

/** How far a plan under way is: `share` from 0 to 1. */
export interface Progress {
  readonly stage: string;
  readonly share: number;
}

export interface Needle {
  readonly name: string;
  readonly gauge: number;
  readonly outer_diameter_mm: number;
  readonly length_mm: number;
  readonly tip: string;
  readonly curved: { readonly outer_diameter_mm: number } | null;
}

export interface CArm {
  readonly name: string;
  readonly description: string;
  readonly primary_deg: readonly [number, number];
  readonly secondary_deg: readonly [number, number];
}

/** What is answered for one class while a target is dragged. */
export interface LiveClass {
  readonly approach: string;
  readonly side: Side;
  readonly needle: string;
  readonly status: "found" | "infeasible" | "stopped";
  readonly best_margin_mm: number | null;
  readonly limiting_structures: readonly string[];
  readonly path: readonly Piece[] | null;
  readonly outer_diameter_mm: number;
}

/** Distances within stretches of a needle; `depths_mm` are the stretches' ends, one more than they are. */
export interface Profile {
  readonly depths_mm: readonly number[];
  readonly structures: readonly {
    readonly structure: string;
    readonly kind: string;
    readonly distance_mm: readonly number[];
  }[];
}
