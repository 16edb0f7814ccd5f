"""How each kind of structure and each needle looks, in pictures and in the exported scene.

Needles take Okabe and Ito's colours, which stay apart for colour-blind readers; anatomy is kept
pale and metal grey so that nothing competes with them. Colours are sRGB, 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from planner.case import Kind

Colour: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colour and finish of one surface.

    Attributes:
        colour: sRGB, 0 to 1.
        opacity: 0 (invisible) to 1.
        metallic: Whether it shines like metal.
        rim_opacity: Opacity where a translucent surface is seen from the side.
        in_legend: What the legend calls it; empty to leave it out.
    """

    colour: Colour
    opacity: float
    metallic: bool = False
    rim_opacity: float = 0.5
    in_legend: str = ""


def _rgb(code: str) -> Colour:
    red, green, blue = (int(code[i : i + 2], 16) / 255.0 for i in (0, 2, 4))
    return red, green, blue


_BONE = Look(colour=_rgb("E9E0CC"), opacity=0.22, rim_opacity=0.72, in_legend="bone")
_METAL = Look(colour=_rgb("A9B4C2"), opacity=1.0, metallic=True, in_legend="screws, rods, cages")
TARGET_BONE_OPACITY = 0.36

LOOKS: Mapping[Kind, Look] = MappingProxyType({
    Kind.VERTEBRA: _BONE,
    Kind.SACRUM: _BONE,
    Kind.ILIUM: replace(_BONE, opacity=0.12, rim_opacity=0.5),
    Kind.RIB: replace(_BONE, opacity=0.18),
    Kind.OTHER_BONE: replace(_BONE, opacity=0.10),
    Kind.DISC: Look(colour=_rgb("9FB8A0"), opacity=0.25, in_legend="disc"),
    Kind.SCREW: _METAL,
    Kind.ROD: _METAL,
    Kind.CROSSLINK: _METAL,
    Kind.CAGE: _METAL,
    Kind.CEMENT: Look(colour=_rgb("8E9B7A"), opacity=0.85, in_legend="cement"),
    Kind.CANAL: Look(
        colour=_rgb("E8CF6A"), opacity=0.65, rim_opacity=0.95, in_legend="canal (dural sac)"
    ),
    Kind.NERVE_ROOT: Look(colour=_rgb("E8CF6A"), opacity=0.85, in_legend="nerve root"),
    Kind.PLEURA: Look(colour=_rgb("8FB7D9"), opacity=0.13, in_legend="pleura"),
    Kind.VESSEL: Look(colour=_rgb("B0413E"), opacity=0.40, in_legend="vessel"),
    Kind.SEGMENTAL_VESSEL: Look(colour=_rgb("C9716E"), opacity=0.50, in_legend="segmental vessel"),
    Kind.ORGAN: Look(colour=_rgb("8A6A5C"), opacity=0.14, in_legend="organ"),
    Kind.FLUID: Look(colour=_rgb("5FA8A0"), opacity=0.35, in_legend="fluid"),
    Kind.SKIN: Look(colour=_rgb("C9A58B"), opacity=0.07, in_legend="skin"),
    Kind.HALO: Look(colour=_rgb("B58BC9"), opacity=0.45, rim_opacity=0.8, in_legend="halo"),
    Kind.LESION: Look(colour=_rgb("9A6FB0"), opacity=0.45, in_legend="lesion"),
})  # fmt: skip
TARGET = Look(colour=_rgb("FFFFFF"), opacity=0.55, in_legend="target")

# Okabe and Ito 2008, without black; with a violet for the sixth.
NEEDLE_COLOURS: tuple[Colour, ...] = tuple(
    _rgb(code) for code in ("FF6A13", "56B4E9", "00B588", "F27BC0", "F0E442", "9B6BFF")
)


def needle_colour(rank: int) -> Colour:
    """Return the colour of the needle of that rank (from 1); colours repeat after the sixth."""
    return NEEDLE_COLOURS[(rank - 1) % len(NEEDLE_COLOURS)]
