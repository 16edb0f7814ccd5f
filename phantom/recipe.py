"""Recipes for synthetic cases, and the case with its truth that a recipe gives."""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from geometry.arrays import Points
from geometry.mesh import TriangleMesh, triangle_mesh
from phantom.hardware import Screw, halo_mesh, placed_screw, rod_line, rod_mesh, screw_mesh
from phantom.loft import Course, tube
from phantom.spine import (
    PlacedVertebra,
    Spine,
    bone_meshes,
    dural_sac,
    spine,
    vertebral_frame,
    vessels,
)
from phantom.thorax import pleura_mesh, rib_course, rib_mesh
from phantom.torso import pedicle_entry, skin_mesh
from planner.case import Case, Kind, PatientPosition, Side, Structure
from planner.case_io.digest import case_digest
from planner.case_io.grid import on_grid

_FILE_CELLS_PER_MM = 2.0**13
LETTER = MappingProxyType({Side.LEFT: "L", Side.RIGHT: "R"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One pedicle screw that a recipe asks for.

    Attributes:
        level: Its vertebra.
        side: The patient's side.
        size_mm: Diameter and length; the level's usual screw when not given.
        halo_mm: Radial thickness of the lucency at mid-shaft and at the ends, for a loose screw.
    """

    level: str
    side: Side
    size_mm: tuple[float, float] | None = None
    halo_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fracture:
    """A collapsed body: the part of its anterior height that is lost, 0 to 0.7."""

    level: str
    height_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that settles a synthetic case.

    Attributes:
        name: Short name of the recipe, used for folders.
        title: The case's name.
        levels: Neighbouring levels, cranial first.
        screws: The screws; sides with two or more get a rod.
        fractures: Collapsed bodies.
        scale: Factor on every anatomical length, 0.9 to 1.1 for sex and stature.
        seed: Settles every random deviation.
        resolution_mm: Grid for the bones.
    """

    name: str
    title: str
    levels: tuple[str, ...]
    screws: tuple[Placement, ...] = ()
    fractures: tuple[Fracture, ...] = ()
    scale: float = 1.0
    seed: int = 1
    resolution_mm: float = 1.15

    def __post_init__(self) -> None:
        wanted = {p.level for p in self.screws} | {f.level for f in self.fractures}
        missing = sorted(wanted - set(self.levels))
        if missing:
            raise ValueError(f"{', '.join(missing)} not among the levels {', '.join(self.levels)}")
        if not 0.5 <= self.resolution_mm <= 2.5:
            raise ValueError(f"resolution {self.resolution_mm} mm is outside 0.5 to 2.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomCase:
    """A synthetic case and what is known of it.

    Attributes:
        case: The case, as if it had been read from a bundle.
        truth: Frames, pedicles, screws and halos by construction (mm, patient LPS), plain values.
    """

    case: Case
    truth: dict[str, Any]


def both_sides(*levels: str) -> tuple[Placement, ...]:
    """Return usual screws on both sides of the levels."""
    return tuple(Placement(level=level, side=side) for level in levels for side in Side)


RECIPES: dict[str, Recipe] = {
    "lumbar-fracture": Recipe(
        name="lumbar-fracture",
        title="L3 fracture within a construct from L2 to L4 (synthetic)",
        levels=("L2", "L3", "L4"),
        screws=(
            *both_sides("L2"),
            # A thick screw that replaced a loose one fills most of the left pedicle.
            Placement(level="L3", side=Side.LEFT, size_mm=(7.5, 40.0)),
            Placement(level="L3", side=Side.RIGHT, size_mm=(6.5, 40.0)),
            *both_sides("L4"),
        ),
        fractures=(Fracture(level="L3", height_loss=0.3),),
        scale=0.95,
    ),
    "thoracic-halo": Recipe(
        name="thoracic-halo",
        title="Loose left T8 screw in a construct from T7 to T9 (synthetic)",
        levels=("T7", "T8", "T9"),
        screws=(
            *both_sides("T7"),
            Placement(level="T8", side=Side.LEFT, halo_mm=(1.0, 2.6)),
            Placement(level="T8", side=Side.RIGHT),
            *both_sides("T9"),
        ),
        resolution_mm=0.95,
    ),
}


def recipe_named(name: str, *, seed: int | None = None) -> Recipe:
    """Return a recipe of the list, with another seed if one is given.

    Raises:
        ValueError: If there is no such recipe; the message lists the ones there are.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name] if seed is None else replace(RECIPES[name], seed=seed)


def command(recipe: Recipe) -> str:
    """Return the command line that builds this recipe again, without where to."""
    words = f"python -m phantom --recipe {recipe.name} --seed {recipe.seed}"
    listed = RECIPES.get(recipe.name, recipe)
    if recipe.scale != listed.scale:
        words += f" --scale {recipe.scale:g}"
    if recipe.resolution_mm != listed.resolution_mm:
        words += f" --resolution {recipe.resolution_mm:g}"
    return words


def build_case(recipe: Recipe) -> PhantomCase:
    """Build the case of a recipe; the same recipe gives the same numbers every time."""
    column = spine(
        recipe.levels,
        seed=recipe.seed,
        scale=recipe.scale,
        height_loss={f.level: f.height_loss for f in recipe.fractures},
    )
    screws = {
        placement: placed_screw(
            column.at(placement.level),
            placement.side,
            seed=recipe.seed,
            size_mm=placement.size_mm,
        )
        for placement in recipe.screws
    }
    structures = [*_bones(recipe, column), *_hardware(column, screws)]
    structures += _soft_parts(column, seed=recipe.seed)
    findings = {
        f.level: {"height_loss_percent": round(100.0 * f.height_loss, 1)} for f in recipe.fractures
    }
    case = Case(
        name=recipe.title,
        structures=tuple(structures),
        digest=case_digest(structures, PatientPosition.HFP, findings, {}),
        patient_position=PatientPosition.HFP,
        findings=findings,
        provenance={
            "source": "synthetic, no patient data",
            "generator": command(recipe),
        },
    )
    return PhantomCase(case=case, truth=_truth(recipe, column, screws))


def on_file_grid(vertices: Points) -> Points:
    """Return vertices moved to multiples of 2^-13 mm, which 32-bit files keep exactly."""
    return np.round(vertices * _FILE_CELLS_PER_MM) / _FILE_CELLS_PER_MM


def _rounded(mesh: TriangleMesh) -> TriangleMesh:
    """Round as files and readers do, so that the case in memory is the one on disk, to the bit."""
    return triangle_mesh(on_grid(on_file_grid(mesh.vertices)), mesh.faces)


def _structure(
    name: str, kind: Kind, mesh: TriangleMesh, *, level: str | None = None, side: Side | None = None
) -> Structure:
    return Structure(
        name=name, kind=kind, mesh=_rounded(mesh), level=level, side=side, source="phantom"
    )


def _bones(recipe: Recipe, column: Spine) -> list[Structure]:
    meshes = bone_meshes(column, resolution_mm=recipe.resolution_mm)
    return [_structure(level, Kind.VERTEBRA, mesh, level=level) for level, mesh in meshes.items()]


def _hardware(column: Spine, screws: dict[Placement, Screw]) -> list[Structure]:
    found = []
    for placement, screw in screws.items():
        level, side = screw.level, screw.side
        tag = f"{level}_{LETTER[side]}"
        body = screw_mesh(screw)
        found.append(_structure(f"screw_{tag}", Kind.SCREW, body, level=level, side=side))
        if placement.halo_mm:
            halo = halo_mesh(column.at(level), screw, thickness_mm=placement.halo_mm)
            found.append(_structure(f"halo_{tag}", Kind.HALO, halo, level=level, side=side))
    for side in Side:
        row = [screw for screw in screws.values() if screw.side is side]
        if len(row) > 1:
            rod = rod_mesh(rod_line(row))
            found.append(_structure(f"rod_{LETTER[side]}", Kind.ROD, rod, side=side))
    return found


def _soft_parts(column: Spine, *, seed: int) -> list[Structure]:
    found = [_structure("dural_sac", Kind.CANAL, dural_sac(column))]
    lines = vessels(column)
    found.extend(_thorax(column, list(lines.values()), seed=seed))
    for name, line in lines.items():
        found.append(_structure(name, Kind.VESSEL, tube(line, segments=32)))
    found.append(_structure("skin", Kind.SKIN, skin_mesh(column)))
    return found


def _thorax(column: Spine, between: list[Course], *, seed: int) -> list[Structure]:
    """Ribs of the thoracic levels, and a pleura per side where there are any."""
    thoracic = [vertebra for vertebra in column.vertebrae if vertebra.level.startswith("T")]
    found = []
    for side in Side:
        ribs = [rib_course(column, vertebra, side, seed=seed) for vertebra in thoracic]
        for vertebra, rib in zip(thoracic, ribs, strict=True):
            name = f"rib_{LETTER[side]}{int(vertebra.level[1:]):02d}"
            surface = rib_mesh(rib)
            found.append(_structure(name, Kind.RIB, surface, level=vertebra.level, side=side))
        if ribs:
            lung = pleura_mesh(column, ribs, between, side)
            found.append(_structure(f"pleura_{LETTER[side]}", Kind.PLEURA, lung, side=side))
    return found


def _listed(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def _truth(recipe: Recipe, column: Spine, screws: dict[Placement, Screw]) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "scale": recipe.scale,
        "vertebrae": [_vertebra_truth(vertebra) for vertebra in column.vertebrae],
        "screws": [
            {
                "name": f"screw_{screw.level}_{LETTER[screw.side]}",
                "level": screw.level,
                "side": screw.side.value,
                "head_mm": _listed(screw.head),
                "tip_mm": _listed(screw.tip),
                "diameter_mm": screw.diameter_mm,
                "halo_mm": list(placement.halo_mm) if placement.halo_mm else None,
            }
            for placement, screw in screws.items()
        ],
    }


def _vertebra_truth(vertebra: PlacedVertebra) -> dict[str, Any]:
    frame = vertebral_frame(vertebra)
    pedicles = {}
    for side, pedicle in vertebra.shape.pedicles.items():
        pedicles[side.value] = {
            "centre_mm": _listed(vertebra.pose.points(pedicle.centre)),
            "axis": _listed(vertebra.pose.vectors(pedicle.axis)),
            "width_mm": round(pedicle.width_mm, 6),
            "height_mm": round(pedicle.height_mm, 6),
            "entry_mm": _listed(pedicle_entry(vertebra, side)),
        }
    return {
        "level": vertebra.level,
        "origin_mm": _listed(frame.translation_mm),
        "axes": [_listed(column) for column in frame.rotation.T],
        "pedicles": pedicles,
    }
