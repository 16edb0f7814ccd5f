"""What is answered: trajectories with exact clearances, certificates, and the plan around them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from geometry.arrays import Point
from planner.case import Kind, PatientPosition, Side
from planner.needles.path import Path
from planner.request import Approach, ErrorProfile
from planner.treatment import CementGuidance, TampAdvice


class Outcome(StrEnum):
    """How a plan ended; each is a result, none an error."""

    FOUND = "found"
    NO_SAFE_PATH = "no_safe_path"
    TARGET_UNREACHABLE = "target_unreachable"
    STOPPED = "stopped"


class Status(StrEnum):
    """How the search of one class (approach x side x needle) ended."""

    FOUND = "found"
    INFEASIBLE = "infeasible"
    STOPPED = "stopped"


class ViewRole(StrEnum):
    """What a C-arm view is for."""

    BULLS_EYE = "bulls_eye"
    PROGRESS = "progress"
    SCREW_BULLS_EYE = "screw_bulls_eye"
    TRUE_AP = "true_ap"
    TRUE_LATERAL = "true_lateral"
    THROW_OFF_AP = "throw_off_ap"
    THROW_OFF_LATERAL = "throw_off_lateral"
    POSTERIOR_WALL = "posterior_wall"
    FORAMEN = "foramen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """Distance between a needle's surface and one structure, measured on the original mesh.

    Attributes:
        structure: Name of the structure.
        kind: Its kind.
        distance_mm: Smallest signed distance from axis to surface, less the needle's radius.
        required_mm: The policy's hard limit; None where there is none.
        margin_mm: ``distance_mm - required_mm``; None where nothing is required.
        at_depth_mm: Distance from the skin entry along the path to ``path_point_mm``.
        nearest_point_mm: Closest point on the structure, LPS.
        path_point_mm: Closest point on the needle's axis, LPS.
        traversed: The needle is meant to pass through it.
        contact_allowed: The needle may touch it (a path along this screw).
        advisory: The policy only cautions about it.
        derived: It was not segmented but derived from other structures.
        segmentation_error_mm: How far its surface may be off, as stated; ``required_mm`` has it.
    """

    structure: str
    kind: Kind
    distance_mm: float
    required_mm: float | None
    margin_mm: float | None
    at_depth_mm: float
    nearest_point_mm: Point
    path_point_mm: Point
    traversed: bool = False
    contact_allowed: bool = False
    advisory: bool = False
    derived: bool = False
    segmentation_error_mm: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """How much of what must be seen lies behind or in front of metal in one view; shares, 0 to 1.

    Attributes:
        tip: Of the needle's last piece.
        target: Of the target; None where there is none.
        posterior_wall: Of the body's posterior wall; None where it could not be derived.
        overall: The weighted sum (``planner.fluoroscopy.marks``).
        nearby: The largest ``overall`` of the views around it; only for the true and the thrown-off
            views.
        at_tip: Whether the tip itself is hidden.
    """

    tip: float
    target: float | None
    posterior_wall: float | None
    overall: float
    nearby: float | None
    at_tip: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TiltToPath:
    """From a screw's bull's-eye to the needle's: turn the detector outward and to the head.

    Attributes:
        screw: Name of the screw.
        lateral_rad: Away from the midline, on the needle's side.
        cranial_rad: To the head.
        angle_rad: Between screw and needle.
    """

    screw: str
    lateral_rad: float
    cranial_rad: float
    angle_rad: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One beam of a family, by DICOM angles, and whether the C-arm reaches it."""

    primary_rad: float
    secondary_rad: float
    reachable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One C-arm position, by DICOM positioner angles and as a console would show it (DOMAIN 5).

    Attributes:
        role: What it is for.
        primary_rad: DICOM primary angle, (-pi, pi], LAO positive.
        secondary_rad: DICOM secondary angle, [-pi/2, pi/2], cranial positive.
        console_primary_rad: Primary angle on a console that assumes head-first supine.
        console_secondary_rad: The secondary angle there.
        assumed_position: The patient position assumed for the console angles.
        label: Rounded patient-referenced name, such as ``LPO 20 CRA 8``.
        reachable: Whether the chosen C-arm's range contains the console angles.
        plane: Name of the C-arm's plane that reaches it; None where none does.
        needle_length_share: Length of the needle's last piece as seen, over its true length.
        hidden: What metal hides; None where nothing was measured.
        tilt: For a screw's bull's-eye, how to get from it to the needle's.
        curve: All beams of the same kind, of which this is the best.
        resolution_rad: For a view that was searched, the step of the search.
        together_with: Views that the other plane of a biplane unit can hold at the same time.
    """

    role: ViewRole
    primary_rad: float
    secondary_rad: float
    console_primary_rad: float
    console_secondary_rad: float
    assumed_position: PatientPosition
    label: str
    reachable: bool
    plane: str | None = None
    needle_length_share: float | None = None
    hidden: Hidden | None = None
    tilt: TiltToPath | None = None
    curve: tuple[CurvePoint, ...] = ()
    resolution_rad: float | None = None
    together_with: tuple[ViewRole, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplacement:
    """A shift of the whole needle and a tilt about its entry, both at once, in any direction."""

    entry_mm: float
    angle_rad: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a needle may be off while every hard limit provably still holds.

    Attributes:
        entry_mm: Any shift of the whole needle up to this, without a tilt.
        angle_rad: Any tilt about the entry up to this, without a shift.
        together: Any shift and any tilt up to these at once.
    """

    entry_mm: float
    angle_rad: float
    together: Misplacement


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachProbability:
    """How likely a needle meant for a path enters what it should not, by seeded samples.

    Attributes:
        profile: How the needle is guided.
        samples: Number of needles drawn.
        seed: Seed of the draws, which are the same for every path.
        total: Share of needles that enter any structure with a hard limit.
        total_interval: 95 % Wilson interval of ``total``.
        by_structure: Share that enters it, for every structure that some needle comes nearer to
            than preferred; the most often entered first.
        margin_broken: Share of needles that break a hard limit.
        worst_structure: The structure with a hard limit that is most often entered, or approached
            most closely; None if none is approached.
        p5_clearance_mm: 5th percentile of the clearance to the worst few structures, worst first;
            a needle whose axis enters a structure counts as minus its radius.
    """

    profile: ErrorProfile
    samples: int
    seed: int
    total: float
    total_interval: tuple[float, float]
    by_structure: Mapping[str, float]
    margin_broken: float
    worst_structure: str | None
    p5_clearance_mm: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondArc:
    """Where a curved needle goes once it is drawn back, turned in its cannula and sent out again.

    Attributes:
        path: Skin to tip; the cannula is the trajectory's.
        turn_rad: How far it is turned, clockwise as seen from the hub, (-pi, pi].
        clearances: Of this path, as of the trajectory's.
        margin_mm: The smallest margin of them.
        limiting_structure: What limits it.
    """

    path: Path
    turn_rad: float
    clearances: tuple[Clearance, ...]
    margin_mm: float
    limiting_structure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """How a needle meets the screw that it slides along (DOMAIN 1.3 K1, K6, K7).

    Attributes:
        screw: Name of the screw, the only thing that the needle may touch.
        contact_mm: Where the straight needle meets the shaft, on its surface, LPS.
        contact_share: The same as a share of the shaft, 0 at the head and 1 at the tip.
        arrival_rad: Angle between the straight needle and the shaft.
        bevel_hour: Where a bevel's face looks, 0 to 12 o'clock, seen from the hub with 12 to the
            patient's head: at the metal, so that the tip turns away from it. None without a bevel.
        slide_mm: From the contact point to the tip, along the shaft.
        bend_radius_mm: Of the needle's bend; infinite where it is not bent.
        elastic_radius_mm: The tightest bend from which the needle springs back.
        margin_beside_mm: The smallest margin to everything but the shaft; its head counts.
        limiting_beside: What has that margin.
    """

    screw: str
    contact_mm: Point
    contact_share: float
    arrival_rad: float
    bevel_hour: float | None
    slide_mm: float
    bend_radius_mm: float
    elastic_radius_mm: float
    margin_beside_mm: float
    limiting_beside: str | None

    @property
    def plastic(self) -> bool:
        """Whether the needle stays bent: tighter than it springs back from."""
        return self.bend_radius_mm < self.elastic_radius_mm - 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One path, measured. Points are patient LPS, mm.

    Attributes:
        cement: How much to fill from its tip, where to stop, what it would cover.
        tamp: Whether a bone tamp could go there.
        halo_overlap: Share of the needle's last 5 mm in the lucency of the target's screw.
        second_arc: For a curved needle that serves both sides of the midline, the other side.
        slide: For a path along a screw, how it meets the screw.
        obliquity_rad: Angle between the path and the bone's way from back to front.
        reach_mm: How much deeper the needle could go, straight on: in the target, in bone, within
            its usable length, every hard limit kept.
    """

    rank: int
    approach: Approach | None
    side: Side | None
    technique: str
    needle: str
    entry_skin_mm: Point
    entry_bone_mm: Point | None
    tip_mm: Point
    path: Path
    outer_diameter_mm: float
    length_mm: float
    depth_to_bone_mm: float | None
    clearances: tuple[Clearance, ...]
    margin_mm: float
    limiting_structure: str | None
    reaches_target: bool
    obliquity_rad: float
    reach_mm: float
    tolerance: Tolerance | None
    breach_probability: BreachProbability
    views: tuple[View, ...]
    cautions: tuple[str, ...]
    reasons: tuple[str, ...]
    second_arc: SecondArc | None = None
    cement: CementGuidance | None = None
    tamp: TampAdvice | None = None
    halo_overlap: float | None = None
    slide: Slide | None = None


class Change(StrEnum):
    """What may be changed so that a class has a safe path; one thing at a time."""

    THINNER_NEEDLE = "thinner_needle"
    LONGER_NEEDLE = "longer_needle"
    OTHER_SIDE = "other_side"
    OTHER_APPROACH = "other_approach"
    LOWER_LIMIT = "lower_limit"
    REMOVE_STRUCTURE = "remove_structure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A change that gives a safe path, with the path that shows it, measured with the change.

    Attributes:
        change: What is changed.
        subject: To what: the needle, side or approach; or of what: the kind of structure whose
            limit is lowered, the structure that is taken away.
        hard_mm: The hard limit then, where one is lowered.
        margin_mm: The path's margin then.
        approach: The path's approach.
        side: Its side.
        needle: Its needle.
        entry_skin_mm: Where it enters, LPS.
        tip_mm: Where it ends, LPS.
    """

    change: Change
    subject: str
    hard_mm: float | None
    margin_mm: float
    approach: Approach
    side: Side
    needle: str
    entry_skin_mm: Point
    tip_mm: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was proved about one class: approach x side x needle, for one target and policy.

    Attributes:
        best_margin_mm: Margin of the best path found, measured on the meshes; None if no path
            of the class was found at all.
        upper_bound_mm: No path of the class has a larger margin; None if it was not searched.
        tolerance_mm: The gap between the two that was asked for.
        blocked_by: What is in the way of an infeasible class.
        openings: What would open it.
    """

    approach: Approach
    side: Side
    needle: str
    status: Status
    best_margin_mm: float | None
    upper_bound_mm: float | None
    tolerance_mm: float
    limiting_structures: tuple[str, ...]
    boxes_examined: int
    statement: str
    blocked_by: tuple[str, ...] = ()
    openings: tuple[Opening, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer to one request about one case."""

    case_digest: str
    request_digest: str
    planner_version: str
    outcome: Outcome
    explanation: str
    trajectories: tuple[Trajectory, ...]
    certificates: tuple[Certificate, ...]
    warnings: tuple[str, ...]
    timings_s: dict[str, float]
