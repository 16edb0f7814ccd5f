"""Recipes for synthetic cases, and the case with its truth that a recipe gives."""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from geometry.arrays import Points
from geometry.mesh import TriangleMesh, triangle_mesh
from phantom.cages import CagePlacement, placed_cage
from phantom.hardware import HEAD_MM, Screw, halo_mesh, placed_screw, rod_line, rod_mesh, screw_mesh
from phantom.implicit import Field
from phantom.loft import Course, tube
from phantom.operated import OPERATIONS
from phantom.pelvis import ILIUM, S1, Pelvis, pelvic_meshes, pelvic_screw, pelvis_below
from phantom.spine import (
    STRAIGHT,
    Deformity,
    Spine,
    bone_meshes,
    dural_sac,
    spine,
)
from phantom.thorax import pleura_mesh, rib_course, rib_mesh
from phantom.torso import skin_mesh
from phantom.truth import screw_truth, vertebra_truth
from phantom.vessels import vessels
from planner.case import Case, Kind, PatientPosition, Side, Structure
from planner.case_io.digest import case_digest
from planner.case_io.grid import on_grid

_FILE_CELLS_PER_MM = 2.0**13
LETTER = MappingProxyType({Side.LEFT: "L", Side.RIGHT: "R"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One pedicle screw that a recipe asks for.

    Attributes:
        level: Its vertebra, or ``S1`` or ``ilium`` in a recipe with a pelvis.
        side: The patient's side.
        size_mm: Diameter and length; the level's usual screw when not given.
        halo_mm: Radial thickness of the lucency at mid-shaft and at the ends, for a loose screw.
    """

    level: str
    side: Side
    size_mm: tuple[float, float] | None = None
    halo_mm: tuple[float, float] | None = None

    @property
    def pelvic(self) -> bool:
        """Whether it lies in the sacrum or an ilium."""
        return self.level in {S1, ILIUM}

    @property
    def name(self) -> str:
        """Name of its structure."""
        return f"screw_{self.level}_{LETTER[self.side]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """What was taken from a vertebra: a name of ``phantom.operated.OPERATIONS`` that only cuts."""

    level: str
    operation: str


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
        cages: Cages, each sunk into a neighbour.
        operated: What earlier operations took away.
        pelvis: Draw the sacrum below L5; the ilia too if a screw lies in one.
        scale: Factor on every anatomical length, 0.9 to 1.1 for sex and stature.
        pedicle_width: Factor on the pedicles' width, on top of the scale.
        deformity: A curve on top of the usual sagittal one.
        seed: Settles every random deviation.
        resolution_mm: Grid for the bones.
    """

    name: str
    title: str
    levels: tuple[str, ...]
    screws: tuple[Placement, ...] = ()
    fractures: tuple[Fracture, ...] = ()
    cages: tuple[CagePlacement, ...] = ()
    operated: tuple[Operated, ...] = ()
    pelvis: bool = False
    scale: float = 1.0
    pedicle_width: float = 1.0
    deformity: Deformity = STRAIGHT
    seed: int = 1
    resolution_mm: float = 1.15

    def __post_init__(self) -> None:
        wanted = {p.level for p in self.screws} | {f.level for f in self.fractures}
        wanted |= {o.level for o in self.operated} | {c.above for c in self.cages}
        pelvic = {S1, ILIUM} if self.pelvis else set()
        missing = sorted(wanted - set(self.levels) - pelvic)
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


def skeleton(recipe: Recipe) -> tuple[Spine, Pelvis | None, dict[Placement, Screw]]:
    """Return what a recipe stands on, without any mesh: spine, pelvis and the screws placed.

    Raises:
        ValueError: If a screw does not fit its bone.
    """
    column = spine(
        recipe.levels,
        seed=recipe.seed,
        scale=recipe.scale,
        height_loss={f.level: f.height_loss for f in recipe.fractures},
        pedicle_width=recipe.pedicle_width,
        deformity=recipe.deformity,
    )
    pelvis = pelvis_below(column, seed=recipe.seed, scale=recipe.scale) if recipe.pelvis else None
    screws = {placement: _placed(recipe, column, pelvis, placement) for placement in recipe.screws}
    return column, pelvis, screws


def build_case(recipe: Recipe) -> PhantomCase:
    """Build the case of a recipe; the same recipe gives the same numbers every time."""
    column, pelvis, screws = skeleton(recipe)
    structures = [*_bones(recipe, column, pelvis), *_hardware(recipe, column, pelvis, screws)]
    structures += _soft_parts(column, pelvis, screws, seed=recipe.seed)
    findings = _findings(recipe)
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


def _findings(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Return what a report would say about levels: height lost, what was taken away."""
    findings: dict[str, dict[str, Any]] = {
        f.level: {"height_loss_percent": round(100.0 * f.height_loss, 1)} for f in recipe.fractures
    }
    for one in recipe.operated:
        taken = "facets_removed" if one.operation == "facets_removed" else "lamina_removed"
        findings.setdefault(one.level, {})[taken] = True
    return findings


def _placed(recipe: Recipe, column: Spine, pelvis: Pelvis | None, placement: Placement) -> Screw:
    if pelvis is not None and placement.pelvic:
        return pelvic_screw(pelvis, placement.level, placement.side, placement.size_mm)
    vertebra = column.at(placement.level)
    return placed_screw(vertebra, placement.side, seed=recipe.seed, size_mm=placement.size_mm)


def _cut_fields(recipe: Recipe, column: Spine) -> dict[str, Field]:
    """Return the fields of the bones that something was taken from, by level."""
    fields: dict[str, Field] = {}
    for one in recipe.operated:
        fields[one.level] = OPERATIONS[one.operation](column.at(one.level).shape)
    for placement in recipe.cages:
        cage = placed_cage(column, placement)
        below = recipe.levels[recipe.levels.index(placement.above) + 1]
        for level in (placement.above, below):
            vertebra = column.at(level)
            bone = fields.get(level, vertebra.shape.distance)
            fields[level] = cage.bedded(bone, vertebra.pose)
    return fields


def _bones(recipe: Recipe, column: Spine, pelvis: Pelvis | None) -> list[Structure]:
    changed = _cut_fields(recipe, column)
    meshes = bone_meshes(column, resolution_mm=recipe.resolution_mm, changed=changed)
    bones = [_structure(level, Kind.VERTEBRA, mesh, level=level) for level, mesh in meshes.items()]
    if pelvis is None:
        return bones
    with_ilia = any(placement.level == ILIUM for placement in recipe.screws)
    sacrum, ilia = pelvic_meshes(pelvis, column.vertebrae[-1], with_ilia=with_ilia)
    bones.append(_structure("sacrum", Kind.SACRUM, sacrum, level=S1))
    for side, mesh in ilia.items():
        bones.append(_structure(f"ilium_{LETTER[side]}", Kind.ILIUM, mesh, side=side))
    return bones


def _hardware(
    recipe: Recipe, column: Spine, pelvis: Pelvis | None, screws: dict[Placement, Screw]
) -> list[Structure]:
    found = []
    for placement, screw in screws.items():
        level = None if placement.level == ILIUM else placement.level
        side = screw.side
        body = screw_mesh(screw)
        found.append(_structure(placement.name, Kind.SCREW, body, level=level, side=side))
        if placement.halo_mm:
            bone = (
                pelvis.field(placement.level, side)
                if pelvis is not None and placement.pelvic
                else column.at(placement.level).distance
            )
            halo = halo_mesh(bone, screw, thickness_mm=placement.halo_mm)
            name = placement.name.replace("screw", "halo")
            found.append(_structure(name, Kind.HALO, halo, level=level, side=side))
    for side in Side:
        row = [screw for screw in screws.values() if screw.side is side]
        if len(row) > 1:
            rod = rod_mesh(rod_line(row))
            found.append(_structure(f"rod_{LETTER[side]}", Kind.ROD, rod, side=side))
    cages = ((one.name, placed_cage(column, one).mesh()) for one in recipe.cages)
    return [*found, *(_structure(name, Kind.CAGE, mesh) for name, mesh in cages)]


def _soft_parts(
    column: Spine, pelvis: Pelvis | None, screws: dict[Placement, Screw], *, seed: int
) -> list[Structure]:
    below = [] if pelvis is None else pelvis.canal()
    heads = [s.head - HEAD_MM * s.axis for p, s in screws.items() if p.pelvic]
    found = [_structure("dural_sac", Kind.CANAL, dural_sac(column, below))]
    lines = vessels(column, pelvis)
    found.extend(_thorax(column, list(lines.values()), seed=seed))
    for name, line in lines.items():
        found.append(_structure(name, Kind.VESSEL, tube(line, segments=32)))
    found.append(_structure("skin", Kind.SKIN, skin_mesh(column, heads)))
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


def _truth(recipe: Recipe, column: Spine, screws: dict[Placement, Screw]) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "scale": recipe.scale,
        "vertebrae": [vertebra_truth(vertebra) for vertebra in column.vertebrae],
        "screws": [
            {
                "name": placement.name,
                **screw_truth(screw),
                "halo_mm": list(placement.halo_mm) if placement.halo_mm else None,
            }
            for placement, screw in screws.items()
        ],
    }
