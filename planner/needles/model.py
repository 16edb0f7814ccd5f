"""A needle as the planner sees it: an outer diameter, a usable length, and perhaps a curve."""

from dataclasses import dataclass

from geometry.arrays import Points
from planner.needles.path import Arc, Path, Segment

YIELD_STRAIN = 0.0045  # of cold-worked 304 stainless steel [D], DOMAIN 3.4
HUB_STAND_OFF_MM = 10.0  # DOMAIN 3.2: product length less the hub's stand-off is usable [A]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvedTip:
    """A pre-curved coaxial inner needle (DOMAIN 3.3 model).

    Attributes:
        outer_diameter_mm: Of the inner needle.
        radius_mm: Of its preset arc.
        deployed_mm: Longest arc that can be deployed beyond the cannula.
    """

    outer_diameter_mm: float
    radius_mm: float
    deployed_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """One product of the catalogue.

    Attributes:
        name: How requests name it, such as ``13G-150``.
        gauge: Of the straight part, G.
        outer_diameter_mm: Of the straight part.
        length_mm: Product length without hub.
        tip: ``bevel`` or ``diamond``.
        curved: The inner needle, if it is a curved coaxial set.
        source: Where the figures come from.
    """

    name: str
    gauge: int
    outer_diameter_mm: float
    length_mm: float
    tip: str
    curved: CurvedTip | None = None
    source: str

    @property
    def radius_mm(self) -> float:
        """Half the outer diameter."""
        return self.outer_diameter_mm / 2.0

    def radius_along(self, segment: Segment) -> float:
        """Radius along one piece of a path, mm: an arc is the inner needle's, if there is one."""
        if self.curved is not None and isinstance(segment, Arc):
            return self.curved.outer_diameter_mm / 2.0
        return self.radius_mm

    def tubes(self, path: Path) -> tuple[tuple[Points, float], ...]:
        """Return the pieces of a path: the polyline (k, 3) that stands for each, and its radius."""
        return tuple((piece.chords(), self.radius_along(piece)) for piece in path)

    @property
    def elastic_radius_mm(self) -> float:
        """Tightest bend that springs back (DOMAIN 3.4): outer diameter over twice the yield strain.

        The outermost fibre of a bar of diameter D bent to a radius R is strained by D / (2 R).
        """
        return self.outer_diameter_mm / (2.0 * YIELD_STRAIN)

    def stays_bent(self, path: Path) -> bool:
        """Whether a path bends the needle for good: tighter than it springs back from."""
        return self.curved is None and any(
            isinstance(piece, Arc) and piece.radius_mm < self.elastic_radius_mm - 1e-6
            for piece in path
        )

    @property
    def usable_length_mm(self) -> float:
        """Longest skin-to-tip path it can make (DOMAIN 3.2)."""
        return self.length_mm - HUB_STAND_OFF_MM
