"""The C-arms that requests can name, and those that requests describe themselves.

Angles are the machine's own (console) angles with the table centred. Figures marked [A] are
planner defaults, not any maker's; the others name where they were read (DOMAIN 5.4).
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from planner.errors import RequestError
from planner.fluoroscopy.c_arm import CArm
from planner.request import StatedCArm


def _range(low_deg: float, high_deg: float) -> tuple[float, float]:
    return math.radians(low_deg), math.radians(high_deg)


_GENERIC_FLOOR = CArm(
    name="generic-floor", description="floor-standing angiography unit, frontal plane",
    primary_rad=_range(-100.0, 100.0), secondary_rad=_range(-45.0, 45.0),
    source_to_isocentre_mm=750.0, source_to_detector_mm=1050.0,
    source="planner default [A], DOMAIN 5.4", mount="floor",
)  # fmt: skip
_GENERIC_LATERAL = replace(
    _GENERIC_FLOOR, name="generic-lateral-plane", description="lateral plane of a biplane unit",
    primary_rad=_range(65.0, 115.0), secondary_rad=_range(-30.0, 30.0), mount="biplane",
)  # fmt: skip
_INNOVA_FRONTAL = CArm(
    name="innova-3131-frontal", description="GE Innova 3131, frontal plane",
    primary_rad=_range(-117.0, 105.0), secondary_rad=_range(-45.0, 50.0),
    source_to_isocentre_mm=720.0, source_to_detector_mm=1190.0,
    source="[R:SlicerHeart], DOMAIN 5.4", mount="floor",
)  # fmt: skip
_INNOVA_LATERAL = CArm(
    name="innova-3131-lateral", description="GE Innova 3131, lateral plane",
    primary_rad=_range(2.0, 115.0), secondary_rad=_range(-90.0, 45.0),
    source_to_isocentre_mm=795.0, source_to_detector_mm=1105.0,
    source="[R:SlicerHeart], DOMAIN 5.4; middle of 710-880 and of 840-1370 mm", mount="biplane",
)  # fmt: skip

_ENTRIES = (
    _GENERIC_FLOOR,
    replace(
        _GENERIC_FLOOR, name="generic-ceiling",
        description="ceiling-hung angiography unit, frontal plane",
        primary_rad=_range(-120.0, 120.0), mount="ceiling",
        source="planner default [A]: as generic-floor, with 20 degrees more rotation either way",
    ),
    replace(
        _GENERIC_FLOOR, name="generic-biplane",
        description="biplane angiography unit, both planes", mount="biplane",
        lateral=_GENERIC_LATERAL,
    ),
    _GENERIC_LATERAL,
    _INNOVA_FRONTAL,
    replace(
        _INNOVA_FRONTAL, name="innova-3131-biplane", description="GE Innova 3131, both planes",
        mount="biplane", lateral=_INNOVA_LATERAL,
    ),
    CArm(
        name="cios-mobile", description="Siemens Cios mobile C-arm from the side of the table",
        primary_rad=_range(-40.0, 110.0), secondary_rad=_range(-45.0, 45.0),
        source_to_isocentre_mm=530.0, source_to_detector_mm=1020.0,
        source="[R:deepdrr], DOMAIN 5.4; orbital rotation taken as the primary angle [A]",
        mount="mobile",
    ),
)  # fmt: skip

C_ARMS: Mapping[str, CArm] = MappingProxyType({c_arm.name: c_arm for c_arm in _ENTRIES})


def c_arm_named(name: str, *, field: str = "c_arm") -> CArm:
    """Return the catalogue's C-arm of that name.

    Raises:
        RequestError: If there is none; the message lists the names there are.
    """
    try:
        return C_ARMS[name]
    except KeyError:
        names = ", ".join(C_ARMS)
        raise RequestError(
            f"{name!r} is not in the C-arm catalogue; it has: {names}",
            field=field, code="unknown-c-arm",
        ) from None  # fmt: skip


def c_arm_of(asked: str | StatedCArm) -> CArm:
    """Return the C-arm that a request names or describes.

    Raises:
        RequestError: If the catalogue has none of that name.
    """
    if isinstance(asked, str):
        return c_arm_named(asked)
    return CArm(
        name=asked.name,
        description="as the request states it",
        primary_rad=asked.primary_rad,
        secondary_rad=asked.secondary_rad,
        source_to_isocentre_mm=asked.source_to_isocentre_mm,
        source_to_detector_mm=asked.source_to_detector_mm,
        source="the request",
        mount="stated" if asked.lateral is None else "biplane",
        lateral=None if asked.lateral is None else c_arm_of(asked.lateral),
    )
