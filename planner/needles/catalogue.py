"""The needles that can be asked for by name: diameters (DOMAIN 3.1) and lengths (3.2)."""

from planner.errors import RequestError
from planner.needles.model import CurvedTip, Needle

# Regular-wall outer diameters, mm [P:wiki-gauge].
OUTER_DIAMETER_MM: dict[int, float] = {
    8: 4.191, 10: 3.404, 11: 3.048, 12: 2.769, 13: 2.413, 14: 2.108, 15: 1.829, 16: 1.651,
}  # fmt: skip
LENGTHS_MM = (100, 120, 150)

_GAUGE_SOURCE = "outer diameter: gauge table, regular wall [P:wiki-gauge]; length: catalogue [M]"


def _straight() -> list[Needle]:
    needles = [
        Needle(
            name=f"{gauge}G-{length}", gauge=gauge, outer_diameter_mm=diameter,
            length_mm=float(length), tip="diamond", source=_GAUGE_SOURCE,
        )
        for gauge, diameter in OUTER_DIAMETER_MM.items()
        for length in LENGTHS_MM
    ]  # fmt: skip
    bevelled = Needle(
        name="15G-bevel-150", gauge=15, outer_diameter_mm=OUTER_DIAMETER_MM[15], length_mm=150.0,
        tip="bevel", source="15 G bevel-tip vertebroplasty trocar, 15 cm [S3]",
    )  # fmt: skip
    return [*needles, bevelled]


def _curved(inner: int, outer: int) -> Needle:
    return Needle(
        name=f"curved-{inner}G-in-{outer}G", gauge=outer,
        outer_diameter_mm=OUTER_DIAMETER_MM[outer], length_mm=150.0, tip="diamond",
        curved=CurvedTip(
            outer_diameter_mm=OUTER_DIAMETER_MM[inner], radius_mm=20.0, deployed_mm=30.0
        ),
        source="pairing and preset curve: planner defaults [A], DOMAIN 3.3",
    )  # fmt: skip


CATALOGUE: dict[str, Needle] = {
    needle.name: needle for needle in [*_straight(), _curved(13, 10), _curved(14, 11)]
}
DEFAULT_NEEDLES: tuple[str, ...] = ("15G-bevel-150", "13G-150", "11G-120")


def needle_named(name: str, *, field: str = "needle") -> Needle:
    """Return the catalogue's needle of that name.

    Raises:
        RequestError: If there is none; the message lists the names there are.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        names = ", ".join(CATALOGUE)
        raise RequestError(
            f"{name!r} is not in the needle catalogue; it has: {names}",
            field=field, code="unknown-needle",
        ) from None  # fmt: skip
