"""What is told of cement and tamps beside a path: guidance with stated assumptions."""

from dataclasses import dataclass

ASSUMPTIONS = (
    "cement is taken to spread evenly and to stay in bone; it follows clefts and veins instead",
    "volumes are goals of published series, not limits of safety",
    "watch the lateral view all along and stop at any escape",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How a fill lies in a body; shares are 0 to 1, of the anterior two-thirds of the body.

    Attributes:
        left: Share filled of its left half.
        right: Of its right half.
        cranial: Of its cranial half.
        caudal: Of its caudal half.
        balance: 1 - |left - right| / (left + right) of the filled volumes; 0 where nothing is.
        height_span: Height of the fill over the height of the body.
        rearmost: Depth fraction to which the fill reaches back; 0 is the posterior wall.
        touches_superior: Whether it reaches the superior endplate.
        touches_inferior: Whether it reaches the inferior endplate.
    """

    left: float
    right: float
    cranial: float
    caudal: float
    balance: float
    height_span: float
    rearmost: float
    touches_superior: bool
    touches_inferior: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """How much cement to aim for.

    Attributes:
        least_ml: The low end.
        aim_ml: What to aim for.
        most_ml: The high end, not to be passed.
        source: Where it comes from.
    """

    least_ml: float
    aim_ml: float
    most_ml: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSurface:
    """A surface that cement must not reach, and how far it is from the nearest tip.

    Attributes:
        name: In words, or the structure's name.
        distance_mm: From the nearest tip; negative where a tip lies beyond it.
        stops: Whether filling stops there; else it is watched.
    """

    name: str
    distance_mm: float
    stops: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CementGuidance:
    """What cement from one plan's tips would do in one bone.

    Attributes:
        goal: What to aim for.
        cap_ml: At most this, because the fill would reach ``cap_by`` then; None where nothing
            could be said.
        cap_by: The goal's source, or the nearest surface that stops.
        expected_ml: The smaller of aim and cap.
        radius_mm: How far the expected volume reaches from the tips; None for a lucency.
        coverage: Of the body; None where it is not a body that is filled.
        ring_gap_mm: Of a lucency: its farthest point from the tip.
        stops: All surfaces, nearest first.
        checks: What to look for on the screen.
        assumptions: What all of this takes for granted.
    """

    goal: Goal
    cap_ml: float | None
    cap_by: str
    expected_ml: float
    radius_mm: float | None
    coverage: Coverage | None
    ring_gap_mm: float | None
    stops: tuple[StopSurface, ...]
    checks: tuple[str, ...]
    assumptions: tuple[str, ...] = ASSUMPTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class TampAdvice:
    """Whether a tamp may go along a path.

    Attributes:
        eligible: Whether one size fits.
        reason: Why, or why not.
        size: The size that can be filled most.
        gauge: Of its working cannula.
        volume_ml: How far it can be filled and keep off cortex and metal.
    """

    eligible: bool
    reason: str
    size: str | None = None
    gauge: int | None = None
    volume_ml: float | None = None
