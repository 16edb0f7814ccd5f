"""How large a structure of each kind can be, to catch millimetres taken for metres.

The ranges are wide engineering limits [A] for whole and cropped structures; what falls outside by
a factor of ten or a thousand was written in another unit.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from geometry.arrays import Points
from planner.case import Kind
from planner.case_io.schema import UNITS
from planner.errors import CaseError

PLAUSIBLE_MM: Mapping[Kind, tuple[float, float]] = MappingProxyType({
    Kind.VERTEBRA: (15.0, 250.0),
    Kind.SACRUM: (30.0, 300.0),
    Kind.ILIUM: (30.0, 500.0),
    Kind.RIB: (8.0, 500.0),
    Kind.DISC: (8.0, 120.0),
    Kind.SCREW: (8.0, 200.0),
    Kind.ROD: (10.0, 900.0),
    Kind.CROSSLINK: (5.0, 200.0),
    Kind.CAGE: (4.0, 150.0),
    Kind.CEMENT: (0.5, 200.0),
    Kind.CANAL: (8.0, 1200.0),
    Kind.NERVE_ROOT: (1.0, 600.0),
    Kind.PLEURA: (15.0, 800.0),
    Kind.VESSEL: (3.0, 1500.0),
    Kind.SEGMENTAL_VESSEL: (1.0, 1000.0),
    Kind.ORGAN: (8.0, 900.0),
    Kind.FLUID: (0.5, 600.0),
    Kind.SKIN: (40.0, 2500.0),
    Kind.HALO: (1.5, 200.0),
    Kind.LESION: (0.5, 250.0),
    Kind.OTHER_BONE: (2.0, 700.0),
})  # fmt: skip


def require_plausible_extent(
    points_mm: Points, name: str, kind: str, field: str, stated_units: str | None
) -> None:
    """Refuse a structure that is far too small or too large for its kind.

    Args:
        points_mm: Its vertices in millimetres, as the stated unit makes them.
        name: Its name, for the message.
        kind: Its kind.
        field: Where its geometry stands in case.json.
        stated_units: The case's unit, or None where the field itself says millimetres.

    Raises:
        CaseError: ``implausible-extent``, with the unit that would make it plausible.
    """
    low, high = PLAUSIBLE_MM[Kind(kind)]
    extent = float(np.ptp(points_mm, axis=0).max())
    if low <= extent <= high:
        return
    factor = UNITS[stated_units or "mm"]
    fitting = [unit for unit, mm in UNITS.items() if low <= extent / factor * mm <= high]
    if not fitting:
        remedy = "check the unit, and whether the right surface was exported"
    elif stated_units:
        wanted = " or ".join(repr(unit) for unit in fitting)
        remedy = f"units is {stated_units!r}, but {wanted} would fit: millimetres and metres mixed?"
    else:
        wanted = " or ".join(fitting)
        remedy = f"the numbers look like {wanted}, but fields ending in _mm are millimetres"
    raise CaseError(
        f"{name} ({kind}) would be {extent:.4g} mm across; a {kind} has {low:g} to {high:g} mm; "
        f"{remedy}",
        field=field, code="implausible-extent",
    )  # fmt: skip
