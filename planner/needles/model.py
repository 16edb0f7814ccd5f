"""A needle as the planner sees it: an outer diameter, a usable length, and perhaps a curve."""

from dataclasses import dataclass

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

    @property
    def usable_length_mm(self) -> float:
        """Longest skin-to-tip path it can make (DOMAIN 3.2)."""
        return self.length_mm - HUB_STAND_OFF_MM
