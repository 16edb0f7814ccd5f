/** What the viewer knows at a moment, and what is derived from it. */

import type {
  Angles, CArm, CaseDescription, CaseSummary, Clearance, LiveClass, Needle, Piece, Plan, PlanOptions, Problem, Profile,
  Progress, Rule, Sample, Session, Side, SkinMap, Structure, Target, Trajectory, Vec3,
} from "./contract";
import type { HandedIn } from "./handed_in";
import type { LiveAnswer } from "./live";
import { lookOf } from "./looks";
import { pathLength } from "./path";
import type { Mesh } from "./scene/ply";
import type { Drawn } from "./service";
import { Store } from "./store";

export interface Shown {
  readonly visible: boolean;
  readonly opacity: number;
}

/** Something to tell the reader, until it is answered or dismissed. */
export interface Notice {
  readonly tone: "error" | "note";
  readonly title: string;
  readonly lines: readonly string[];
}

export type Link = "connecting" | "online" | "offline" | "lost case" | "locked";

export interface State {
  readonly link: Link;
  readonly notice: Notice | null;
  readonly busy: string | null;
  readonly samples: readonly Sample[];
  readonly cases: readonly CaseSummary[];
  readonly opened: CaseDescription | null;
  readonly meshes: ReadonlyMap<string, Mesh>;
  /** What is drawn as it was handed in, until the service has checked and read it. */
  readonly handedIn: ReadonlyMap<string, HandedIn>;
  /** Why structures of the case could not be drawn. */
  readonly undrawn: ReadonlyMap<string, string>;
  readonly shown: ReadonlyMap<string, Shown>;
  readonly needles: readonly Needle[];
  readonly cArms: readonly CArm[];
  readonly target: Target | null;
  readonly approaches: ReadonlySet<string>;
  readonly sides: ReadonlySet<Side>;
  readonly needlesWanted: ReadonlySet<string>;
  readonly cArm: string;
  /** What the service requires unless told otherwise, and what the reader changed of it. */
  readonly defaultPolicy: Readonly<Record<string, Rule>>;
  readonly policy: Readonly<Record<string, Rule>>;
  /** Targets that are planned for together with `target`. */
  readonly alsoTargets: readonly Target[];
  /** When planning was asked for, ms since the epoch; null while nothing is under way. */
  readonly planningSince: number | null;
  /** The plan that is under way, and how far it is. */
  readonly pending: string | null;
  readonly progress: Progress | null;
  /** The plans of several targets; `plan` is that of one of them, `sessionAt`. */
  readonly session: Session | null;
  readonly sessionId: string | null;
  readonly sessionAt: number;
  /** What the session's plans, in their order, were asked for. */
  readonly sessionTargets: readonly Target[];
  readonly planId: string | null;
  readonly plan: Plan | null;
  /** What the plan was asked for, and of every way to it; a plan itself does not say. */
  readonly planned: Target | null;
  readonly asked: PlanOptions | null;
  readonly rank: number | null;
  readonly compared: number | null;
  /** A path that was drawn by hand and measured. */
  readonly drawn: Trajectory | null;
  readonly mode: Mode;
  /** Where the dragged target is, and what was last answered about it. */
  readonly aim: Vec3 | null;
  readonly live: LiveAnswer | null;
  /** Ends of the path that is being drawn. */
  readonly sketch: Sketch | null;
  readonly measuring: boolean;
  /** Nothing can be moved, drawn or planned anew, only looked at. */
  readonly locked: boolean;
  /** The skin by the best margin from each place; null where it is not shown. */
  readonly skin: SkinMap | null;
  readonly mapping: boolean;
  /** What `undo` goes back to, the latest last. */
  readonly past: readonly Edited[];
  readonly profile: Profile | null;
  readonly depthMm: number;
  /** Console angles of the simulated view. */
  readonly angles: Angles;
}

/** What a drag in the scene does: turn it, move the target, or move the ends of a path. */
export type Mode = "look" | "target" | "path";

export interface Sketch {
  readonly entry: Vec3;
  readonly tip: Vec3;
}

export type Edited = { readonly aim: Vec3 } | { readonly sketch: Sketch };

export const APPROACHES = ["transpedicular", "parapedicular", "extrapedicular", "along_screw"] as const;
/** Tried unless the reader asks for more. */
const USUAL = APPROACHES.slice(0, 3);
export const SIDES: readonly Side[] = ["left", "right"];

export const nothing: State = {
  link: "connecting", notice: null, busy: null, samples: [], cases: [],
  opened: null, meshes: new Map(), handedIn: new Map(), undrawn: new Map(), shown: new Map(),
  needles: [], cArms: [], target: null,
  approaches: new Set(USUAL), sides: new Set(SIDES), needlesWanted: new Set(), cArm: "",
  defaultPolicy: {}, policy: {}, alsoTargets: [],
  planningSince: null, pending: null, progress: null, session: null, sessionId: null, sessionAt: 0, sessionTargets: [], planId: null, plan: null, planned: null, asked: null, rank: null, compared: null,
  drawn: null, mode: "look", aim: null, live: null, sketch: null, measuring: false, past: [], locked: false,
  skin: null, mapping: false, profile: null, depthMm: 0,
  angles: { primary_deg: 0, secondary_deg: 0 },
};

export type Model = Store<State>;
export const newModel = (): Model => new Store(nothing);

/** What stays when another case is opened: what the service offers, and what is wanted of it. */
export function withoutCase(state: State): State {
  const { link, samples, cases, needles, needlesWanted, cArms, cArm, defaultPolicy } = state;
  return { ...nothing, link, samples, cases, needles, needlesWanted, cArms, cArm, defaultPolicy };
}

/** What is asked of every way to a target. */
export function optionsOf(state: State): PlanOptions {
  const { approaches, sides, needlesWanted, policy, cArm } = state;
  return {
    approaches: APPROACHES.filter((approach) => approaches.has(approach)),
    sides: SIDES.filter((side) => sides.has(side)),
    needles: [...needlesWanted], policy, c_arm: cArm,
  };
}

/** The choices that `optionsOf` reads, as they were when a plan was asked for. */
export function choicesOf(asked: PlanOptions): Partial<State> {
  return {
    approaches: new Set(asked.approaches), sides: new Set(asked.sides), needlesWanted: new Set(asked.needles),
    policy: asked.policy ?? {}, cArm: asked.c_arm ?? "",
  };
}

/** What is asked when a drawn path is measured or looked at. */
export function drawnOf(
  state: State, { path, needle }: { readonly path: readonly Piece[]; readonly needle: string },
): Drawn {
  const { plan, planned, target, policy, cArm } = state;
  const aim = plan ? planned : target;
  return { path, needle, policy, c_arm: cArm, ...(aim ? { target: aim } : {}) };
}

/** Given structures and those derived in place of missing ones. */
export function allStructures(opened: CaseDescription): readonly Structure[] {
  return [...opened.structures, ...opened.derived.structures];
}

export function isDerived(opened: CaseDescription, name: string): boolean {
  return opened.derived.structures.some((structure) => structure.name === name);
}

export function structureNamed(opened: CaseDescription, name: string): Structure | null {
  return allStructures(opened).find((structure) => structure.name === name) ?? null;
}

/** Everything visible at first, each kind as translucent as suits it. */
export function shownAtFirst(
  structures: readonly { readonly name: string; readonly kind: string }[],
): ReadonlyMap<string, Shown> {
  return new Map(structures.map(({ name, kind }) => [name, { visible: true, opacity: lookOf(kind).opacity }]));
}

/** The trajectory that is looked at: one of the plan's, or (rank 0) the drawn one. */
export function selected({ plan, rank, drawn }: State): Trajectory | null {
  if (rank === 0) return drawn;
  return plan?.trajectories.find((trajectory) => trajectory.rank === rank) ?? null;
}

/** What is needed of a path to cut sections along it. */
export type Cuttable = Pick<
  Trajectory, "rank" | "path" | "side" | "length_mm" | "outer_diameter_mm" | "limiting_structure" | "clearances"
>;

/** The path that the sections go along: the selected one, or the one that follows a dragged target. */
export function cuttable(state: State): Cuttable | null {
  if (state.mode !== "target") return selected(state);
  const best = bestFirst(state.live?.classes ?? [])[0];
  if (!best?.path) return null;
  return {
    rank: 1, path: best.path, side: best.side, length_mm: pathLength(best.path), clearances: [],
    outer_diameter_mm: best.outer_diameter_mm, limiting_structure: best.limiting_structures[0] ?? null,
  };
}

export function ranked({ plan, drawn }: State, rank: number | null): Trajectory | null {
  if (rank === null) return null;
  return rank === 0 ? drawn : (plan?.trajectories.find((t) => t.rank === rank) ?? null);
}

export function patientPosition({ opened }: State): string {
  return opened?.patient_position ?? "HFP";
}

/** Classes with the largest margin first; those without a path last. */
export function bestFirst(classes: readonly LiveClass[]): readonly LiveClass[] {
  const margin = ({ best_margin_mm: mm }: LiveClass): number => mm ?? -Infinity;
  return [...classes].sort((a, b) => margin(b) - margin(a));
}

/** The level that a target is at, if it says one. */
function levelOf(target: Target | null, opened: CaseDescription): string | null {
  if (target?.type === "anterior_body") return target.level;
  const screw = target && "screw" in target ? target.screw : null;
  return opened.screws.find(({ structure }) => structure === screw)?.level ?? null;
}

/** Where drawing starts: the selected path, or in from the back to the vertebra that is aimed at. */
export function firstSketch(state: State): Sketch | null {
  const trajectory = selected(state);
  if (trajectory) return { entry: trajectory.entry_skin_mm, tip: trajectory.tip_mm };
  const { opened, target } = state;
  const read = opened?.vertebrae.filter(({ frame }) => frame) ?? [];
  const bone = (read.find(({ level }) => opened && level === levelOf(target, opened)) ?? read[0])?.frame;
  if (!bone) return null;
  const [x, y, z] = bone.origin_mm;
  return { entry: [x + 40, y + 80, z + 10], tip: bone.origin_mm };
}

/** The needle that previews and drawn paths are made with: a straight one that is asked for. */
export function editingNeedle(state: State): Needle | null {
  const straight = state.needles.filter(({ curved }) => curved === null);
  const wanted = selected(state)?.needle;
  return (
    straight.find(({ name }) => name === wanted) ??
    straight.find(({ name }) => state.needlesWanted.has(name)) ?? straight[0] ?? null
  );
}

/** How a trajectory stands: a limit broken, something nearer than preferred, or neither. */
export type Standing = "broken" | "near" | "clear";

export function standing(trajectory: Trajectory): Standing {
  if (trajectory.margin_mm < 0) return "broken";
  return trajectory.cautions.some((said) => said.includes("less than the preferred"))
    ? "near"
    : "clear";
}

export const STANDINGS: Readonly<Record<Standing, { sign: string; text: string }>> = {
  broken: { sign: "✕", text: "breaks a limit" },
  near: { sign: "▲", text: "nearer than preferred" },
  clear: { sign: "✓", text: "keeps every preferred distance" },
};

/** Clearances that limit a needle, the tightest first. */
export function limiting(trajectory: Trajectory): readonly Clearance[] {
  return trajectory.clearances
    .filter((clearance) => clearance.margin_mm !== null)
    .sort((a, b) => (a.margin_mm ?? 0) - (b.margin_mm ?? 0));
}

export function targetName(target: Target): string {
  switch (target.type) {
    case "anterior_body": return `anterior third of ${target.level}`;
    case "screw_halo": return `halo of ${target.screw}`;
    case "screw_tip": return `bone beside the tip of ${target.screw}`;
    case "cage_interface": return `bone ${target.end} to ${target.cage}`;
    case "lesion": return target.structure;
    case "point": return `point at ${target.position_mm.map((c) => c.toFixed(1)).join(", ")} mm`;
  }
}

export function sameTarget(a: Target, b: Target): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The targets a case offers by name. */
export function targetsOf(opened: CaseDescription): readonly Target[] {
  const levels = opened.vertebrae.flatMap((v) => (v.available && v.level ? [v.level] : []));
  const screws = opened.screws.filter((screw) => screw.available).map((screw) => screw.structure);
  const halos = new Set(
    opened.structures.filter(({ kind }) => kind === "halo").map((halo) => `${halo.level} ${halo.side}`),
  );
  const loose = opened.screws.filter((s) => halos.has(`${s.level} ${s.side}`)).map((s) => s.structure);
  const ends = ["cranial", "caudal"] as const;
  return [
    ...levels.map((level): Target => ({ type: "anterior_body", level })),
    ...loose.map((screw): Target => ({ type: "screw_halo", screw })),
    ...screws.map((screw): Target => ({ type: "screw_tip", screw })),
    ...opened.cages.filter((cage) => cage.available).flatMap((cage) =>
      ends.map((end): Target => ({ type: "cage_interface", cage: cage.structure, end })),
    ),
    ...opened.structures.filter(({ kind }) => kind === "lesion")
      .map(({ name }): Target => ({ type: "lesion", structure: name })),
  ];
}

/** What a case is most likely about: a lucency round a screw, a lesion, a level with findings. */
export function likelyTarget(opened: CaseDescription): Target | null {
  const offered = targetsOf(opened);
  const found = (target: Target): boolean =>
    target.type === "anterior_body" && target.level in opened.findings;
  return (
    offered.find(({ type }) => type === "screw_halo" || type === "lesion") ??
    offered.find(found) ?? offered[0] ?? null
  );
}

/** The structure that a target is in or at; null for a point, or where the case does not say. */
export function targetStructure({ opened, target }: State): string | null {
  switch (target?.type) {
    case "anterior_body": return opened?.vertebrae.find(({ level }) => level === target.level)?.structure ?? null;
    case "screw_halo":
    case "screw_tip": return target.screw;
    case "cage_interface": return target.cage;
    case "lesion": return target.structure;
    default: return null;
  }
}

/** The targets that a structure somebody clicked may stand for. */
export function targetsFor(opened: CaseDescription, name: string): readonly Target[] {
  const base = name.replace(/#\d+$/, "");
  const structure = structureNamed(opened, base);
  return targetsOf(opened).filter((target) => {
    switch (target.type) {
      case "anterior_body":
        return structure?.kind === "vertebra" &&
          opened.vertebrae.some((v) => v.structure === name && v.level === target.level);
      case "screw_halo":
      case "screw_tip": {
        const screw = opened.screws.find((s) => s.structure === target.screw);
        const isHalo = structure?.kind === "halo" && screw?.level === structure.level &&
          screw?.side === structure.side;
        return target.screw === name || target.screw.replace(/#\d+$/, "") === name || isHalo;
      }
      case "cage_interface": return target.cage === name;
      case "lesion": return target.structure === name;
      case "point": return false;
    }
  });
}

export function problemLines(problem: Problem): readonly string[] {
  if (problem.errors.length === 0) return [problem.detail];
  return problem.errors.map(({ field, message }) => `${field}: ${message}`);
}
