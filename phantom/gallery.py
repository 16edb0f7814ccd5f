"""Bones to be shown: one of every level with a screw, and operated, broken and odd ones.

Each is a case of its own, drawn when it is asked for. How they look on a page is not decided here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation as Turn

from geometry.arrays import Point
from geometry.frames import PATIENT, RigidTransform
from geometry.mesh import TriangleMesh, triangle_mesh
from phantom.hardware import Screw, placed_screw, screw_mesh
from phantom.ilium import ilium_mesh, ilium_shape
from phantom.implicit import Field, smooth_union, zero_surface
from phantom.morphometry import PHANTOM_LEVELS, morphometry
from phantom.operated import OPERATIONS, ball, beyond, grown, without
from phantom.pelvis import ILIUM, S1, Pelvis, pelvic_screw
from phantom.sacrum import sacrum_mesh, sacrum_shape
from phantom.spine import PlacedVertebra, dural_sac, spine
from phantom.vertebra import VertebraShape, vertebra_shape
from planner.anatomy.fused import taken_apart
from planner.anatomy.model import Unavailable
from planner.case import Case, Kind, PatientPosition, Side, Structure
from planner.case_io.digest import case_digest

SEED = 3
SPACING_MM = 1.4
ROOM_MM = 12.0  # around a bone, for what is grown on it
SACRAL_SPACING_MM = 2.0
Drawer = Callable[[], tuple[Structure, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One bone to be shown.

    Attributes:
        name: For files.
        title: What it is, in a few words.
        about: What was done to it, in a sentence.
        draw: Makes its structures, patient LPS, mm.
    """

    name: str
    title: str
    about: str
    draw: Drawer

    def case(self) -> Case:
        """Draw the bone and what is with it, as a case."""
        structures = self.draw()
        return Case(
            name=f"{self.title} (synthetic)",
            structures=structures,
            digest=case_digest(structures, PatientPosition.HFP, {}, {}),
            patient_position=PatientPosition.HFP,
            provenance={"source": "synthetic, no patient data"},
        )


def _instrumented(level: str) -> tuple[Structure, ...]:
    """Draw a vertebra with a screw on the left and the dural sac."""
    column = spine((level,), seed=SEED, scale=1.0, height_loss={})
    shape = column.at(level).shape
    return (
        _bone(level, _meshed(shape, shape.distance)),
        _screw(column.at(level)),
        Structure(name="dural_sac", kind=Kind.CANAL, mesh=dural_sac(column), source="phantom"),
    )


def _screw(vertebra: PlacedVertebra) -> Structure:
    return _screw_structure(placed_screw(vertebra, Side.LEFT, seed=SEED))


def _screw_structure(screw: Screw) -> Structure:
    return Structure(
        name="screw_L", kind=Kind.SCREW, mesh=screw_mesh(screw), side=screw.side,
        level=None if screw.level == ILIUM else screw.level, source="phantom",
    )  # fmt: skip


def _sacrum(*, solid: bool = False, blocked: bool = False) -> Structure:
    shape = sacrum_shape(seed=SEED, solid=solid, blocked=blocked)
    mesh = sacrum_mesh(shape, resolution_mm=SACRAL_SPACING_MM)
    return Structure(name="sacrum", kind=Kind.SACRUM, mesh=mesh, level="S1", source="phantom")


def _pelvis() -> Pelvis:
    pose = RigidTransform(
        target=PATIENT, source="sacrum", rotation=np.eye(3), translation_mm=np.zeros(3)
    )
    return Pelvis(
        sacrum=sacrum_shape(seed=SEED),
        ilia=MappingProxyType({side: ilium_shape(side, seed=SEED) for side in Side}),
        pose=pose, seed=SEED,
    )  # fmt: skip


def _instrumented_sacrum() -> tuple[Structure, ...]:
    return _sacrum(), _screw_structure(pelvic_screw(_pelvis(), S1, Side.LEFT))


def _instrumented_ilia() -> tuple[Structure, ...]:
    """Draw both ilia, the sacrum between them taken out, with an iliac screw on the left."""
    pelvis = _pelvis()
    bones = [
        Structure(
            name=f"{side} ilium", kind=Kind.ILIUM, side=side, source="phantom",
            mesh=ilium_mesh(
                shape, shape.beside(pelvis.sacrum.distance), resolution_mm=SACRAL_SPACING_MM
            ),
        )
        for side, shape in pelvis.ilia.items()
    ]  # fmt: skip
    return *bones, _screw_structure(pelvic_screw(pelvis, ILIUM, Side.LEFT))


def _bone(level: str, mesh: TriangleMesh) -> Structure:
    return Structure(name=level, kind=Kind.VERTEBRA, mesh=mesh, level=level, source="phantom")


def _shape(level: str, height_loss: float = 0.0) -> VertebraShape:
    return vertebra_shape(morphometry(level), seed=SEED, height_loss=height_loss)


def _meshed(
    shape: VertebraShape, field: Field, *, spacing_mm: float = SPACING_MM, up_mm: float = 0.0
) -> TriangleMesh:
    low, high = shape.bounds
    above = np.array([0.0, 0.0, up_mm])
    return zero_surface(field, low - ROOM_MM, high + ROOM_MM + above, spacing_mm)


def _operated(level: str, operation: Callable[[VertebraShape], Field]) -> Drawer:
    def draw() -> tuple[Structure, ...]:
        shape = _shape(level)
        return (_bone(level, _meshed(shape, operation(shape))),)

    return draw


def _crushed() -> tuple[Structure, ...]:
    shape = _shape("L1", height_loss=0.7)
    return (_bone("L1", _meshed(shape, shape.distance)),)


def _bumps() -> tuple[Structure, ...]:
    """Draw lumps on the bone around a screw, as streaks leave them in a segmentation."""
    vertebra = spine(("L2",), seed=SEED, scale=1.0, height_loss={}).at("L2")
    pedicle = vertebra.shape.pedicles[Side.LEFT]
    rng = np.random.default_rng(SEED)
    lumps = [_lump(pedicle.centre, rng) for _ in range(12)]
    field = grown(vertebra.shape, lambda p: np.min([lump(p) for lump in lumps], axis=0))
    return _bone("L2", _meshed(vertebra.shape, field)), _screw(vertebra)


def _lump(centre: Point, rng: np.random.Generator) -> Callable[..., np.ndarray]:
    aside = rng.normal(size=3) * np.array([7.0, 12.0, 8.0])
    return ball(centre + np.array([0.0, 8.0, 0.0]) + aside, rng.uniform(1.2, 2.6, size=3))


def _fused() -> tuple[Structure, ...]:
    shape = _shape("L2")
    height = shape.body.posterior_height_mm + 8.0
    up = np.array([0.0, 0.0, height])

    def field(points: np.ndarray) -> np.ndarray:
        both = np.minimum(shape.distance(points), shape.distance(points - up))
        return smooth_union(both, np.linalg.norm(points - 0.5 * up, axis=1) - 9.0, 1.0)

    return (_bone("L2", _meshed(shape, field, up_mm=height)),)


def _taken_apart() -> tuple[Structure, ...]:
    match taken_apart(_fused()[0], ("L2", "L3")):
        case Unavailable(reason=reason):
            raise ValueError(reason)
        case parts:
            return parts


def _scoliotic() -> tuple[Structure, ...]:
    shape = _shape("T10")
    turned = RigidTransform(
        target=PATIENT,
        source="T10",
        rotation=Turn.from_euler("yz", [25.0, 20.0], degrees=True).as_matrix(),
        translation_mm=np.zeros(3),
    )
    return (_bone("T10", _meshed(shape, shape.distance).moved(turned)),)


def _transitional() -> tuple[Structure, ...]:
    """Draw a sixth lumbar vertebra with one broad transverse process."""
    shape = _shape("L5")
    wing = shape.arch["transverse_left"].end
    field = grown(shape, ball(wing, np.array([9.0, 8.0, 13.0])))
    return (_bone("L6", _meshed(shape, field)),)


def _coarse() -> tuple[Structure, ...]:
    shape = _shape("L2")
    return (_bone("L2", _meshed(shape, shape.distance, spacing_mm=5.4)),)


def _dense() -> tuple[Structure, ...]:
    shape = _shape("L2")
    mesh = _meshed(shape, shape.distance, spacing_mm=1.0)
    points, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    for _ in range(2):
        points, faces = trimesh.remesh.subdivide(points, faces)
    return (_bone("L2", triangle_mesh(points, faces)),)


_OPERATED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "lamina_removed": ("L2", "Lamina removed", "Laminae and spinous process are gone."),
        "facets_removed": ("L2", "Facets removed", "All from the facets backwards is gone."),
        "one_side_removed": ("L2", "One side removed", "The left half of the arch is gone."),
        "transverse_removed": (
            "T8", "Costovertebral joint gone", "The transverse processes are gone.",
        ),
        "left_pedicle_resected": ("L2", "Left pedicle resected", "Out from body to lamina."),
        "both_pedicles_resected": ("L2", "Both pedicles resected", "The arch is loose."),
        "fusion_mass": ("L2", "Fusion mass", "New bone on the left transverse process."),
        "burst_wall": ("L2", "Burst wall", "A piece of the posterior wall is in the canal."),
        "screw_channels": ("L2", "Screw holes", "Two screws were taken out of narrow bone."),
        "cement_void": ("L2", "Cement", "A closed hollow is left in the body where cement was."),
    }
)  # fmt: skip

LEVELS: tuple[Exhibit, ...] = tuple(
    Exhibit(
        name=level, title=level, about="A screw on the left, none on the right.",
        draw=partial(_instrumented, level),
    )
    for level in PHANTOM_LEVELS
)  # fmt: skip

PELVIC: tuple[Exhibit, ...] = (
    Exhibit(
        name="S1", title="S1",
        about="Sacrum with its canal, its foramina and its alae, and a screw on the left.",
        draw=_instrumented_sacrum,
    ),
    Exhibit(
        name="sacrum_solid", title="Sacrum without a canal (S1)",
        about="The canal is filled, as some segmentations leave it.",
        draw=lambda: (_sacrum(solid=True),),
    ),
    Exhibit(
        name="sacrum_blocked", title="Sacrum without foramina (S1)",
        about="Canal and foramina are filled.",
        draw=lambda: (_sacrum(solid=True, blocked=True),),
    ),
    Exhibit(
        name="ilium", title="Ilia", about="Both ilia, with an iliac screw on the left.",
        draw=_instrumented_ilia,
    ),
)  # fmt: skip

VARIANTS: tuple[Exhibit, ...] = (
    *(
        Exhibit(
            name=name, title=f"{title} ({level})", about=about,
            draw=_operated(level, OPERATIONS[name]),
        )
        for name, (level, title, about) in _OPERATED.items()
    ),
    Exhibit(
        name="crushed", title="Compression to 30 % (L1)",
        about="The body has lost 70 % of its anterior height.", draw=_crushed,
    ),
    Exhibit(
        name="artefact_bumps", title="Artefact bumps (L2)",
        about="Lumps around a screw, as streaks leave them.", draw=_bumps,
    ),
    Exhibit(
        name="partial_above", title="Partial vertebra, cut above (L2)",
        about="The edge of the scan takes the upper part.",
        draw=_operated("L2", lambda shape: without(shape, beyond(2, 1.0, 3.0))),
    ),
    Exhibit(
        name="partial_left", title="Partial vertebra, cut on the left (L2)",
        about="The edge of the scan takes the left side.",
        draw=_operated("L2", lambda shape: without(shape, beyond(0, 1.0, 3.0))),
    ),
    Exhibit(
        name="fused", title="Two vertebrae in one mesh (L2)",
        about="They are joined through the disc.", draw=_fused,
    ),
    Exhibit(
        name="taken_apart", title="The same two, taken apart (L2, L3)",
        about="As `trocar split` does: cut where the least bone joins them.", draw=_taken_apart,
    ),
    Exhibit(
        name="scoliosis", title="Scoliosis (T10)",
        about="Tilted sideways by 25 degrees and turned by 20.", draw=_scoliotic,
    ),
    Exhibit(
        name="transitional", title="Transitional vertebra (L6)",
        about="A sixth lumbar vertebra with a broad left transverse process.", draw=_transitional,
    ),
    Exhibit(
        name="coarse", title="About 1,000 triangles (L2)", about="A coarse mesh.", draw=_coarse
    ),
    Exhibit(
        name="dense", title="About 500,000 triangles (L2)", about="A dense mesh.", draw=_dense
    ),
)  # fmt: skip
