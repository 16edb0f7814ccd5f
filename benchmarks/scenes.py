"""What is measured: synthetic surroundings of a vertebra, needle axes through them, and families.

Everything is drawn by the project's own generator. No patient data.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import shapely
from jaxtyping import Float, Int
from shapely import MultiPolygon

from api.samples import sample_case
from geometry.arrays import Points, frozen
from geometry.exact import MeshDistance
from geometry.frames import frame_from_axes
from geometry.mesh import TriangleMesh
from phantom.recipe import build_case, recipe_named
from planner.anatomy.model import Unavailable
from planner.approach import Gate
from planner.case import Case, Side
from planner.case_io import load_case
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.prepared import PreparedCase
from planner.question import STAND_OFF_MM, Question, question_of
from planner.request import BY_WINDOW, AnteriorBody, Approach, PlanRequest
from planner.search.family import LineFamily, line_family
from planner.search.scene import Scene, build_scene, obstacles
from planner.target import TargetRegion

SAMPLE = "lumbar-fracture"
TARGET = AnteriorBody(level="L3")
NEEDLE = "15G-bevel-150"
FINE_MM = 0.6  # grid of the bones: about 200,000 triangles in 13 obstacles
# Mixed candidates: from a patch of skin to a box about the target, about 100 mm long; mm in the
# bone's frame (left, posterior, superior).
SKIN_Y_MM = 84.0
PATCH_MM = np.array([70.0, 0.0, 45.0])
BOX_MM = np.array([8.0, 6.0, 8.0])
OPEN, OPEN_MM = "open window", 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Needle axes: from the skin to the tip, (n, 3) each, scene frame, mm."""

    starts_mm: Points
    ends_mm: Points

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.starts_mm)

    def first(self, count: int) -> "Lines":
        """Return the first ``count`` of them."""
        return Lines(starts_mm=self.starts_mm[:count], ends_mm=self.ends_mm[:count])

    def only(self, chosen: np.ndarray) -> "Lines":
        """Return those that are chosen, by mask or index."""
        return Lines(starts_mm=frozen(self.starts_mm[chosen]), ends_mm=frozen(self.ends_mm[chosen]))

    def samples(self, step_mm: float) -> tuple[Points, Int[np.ndarray, " n"]]:
        """Return points at most ``step_mm`` apart along all lines, and where each line begins."""
        steps = self.ends_mm - self.starts_mm
        counts = np.ceil(np.linalg.norm(steps, axis=1) / step_mm).astype(int) + 1
        begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
        within = np.arange(counts.sum()) - np.repeat(begins, counts)
        share = within / np.repeat(np.maximum(counts - 1, 1), counts)
        points = np.repeat(self.starts_mm, counts, axis=0)
        points = points + share[:, None] * np.repeat(steps, counts, axis=0)
        return points, begins


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """A question, its search scene, and the same obstacles one by one.

    Attributes:
        question: The question.
        region: Its target.
        scene: Obstacles merged into one tree and one field, and the skin.
        names: The obstacles.
        meshes: Their meshes, scene frame.
        margins_mm: The clearance required of each.
    """

    question: Question
    region: TargetRegion
    scene: Scene
    names: tuple[str, ...]
    meshes: tuple[TriangleMesh, ...]
    margins_mm: Float[np.ndarray, " k"]

    @property
    def triangles(self) -> int:
        """How many triangles all obstacles have together."""
        return sum(len(m.faces) for m in self.meshes)

    @cached_property
    def distances(self) -> tuple[MeshDistance, ...]:
        """One exact query per obstacle."""
        return tuple(MeshDistance(m) for m in self.meshes)

    @cached_property
    def merged(self) -> tuple[Points, Int[np.ndarray, "m 3"]]:
        """Vertices and faces of all obstacles as one mesh."""
        counts = np.cumsum([0, *(len(m.vertices) for m in self.meshes)])
        faces = [m.faces + shift for m, shift in zip(self.meshes, counts, strict=False)]
        return np.concatenate([m.vertices for m in self.meshes]), np.concatenate(faces)


def bundled() -> Case:
    """Return the sample case that comes with the project."""
    return load_case(sample_case(SAMPLE))


def fine() -> Case:
    """Return the same case drawn on a finer grid."""
    return build_case(replace(recipe_named(SAMPLE), resolution_mm=FINE_MM)).case


def question_about(case: Case) -> tuple[Question, TargetRegion]:
    """Return the question about the sample's target, and its region."""
    question = question_of(PreparedCase(case), PlanRequest(target=TARGET))
    if isinstance(question.region, Unavailable):
        raise TypeError(question.region.reason)
    return question, question.region


def scene_for(question: Question, region: TargetRegion, case: Case) -> Scene:
    """Build the search scene of a question, with the structures of ``case``."""
    frame = frame_from_axes(name="scene", origin_mm=region.centre_mm, axes=question.axes)
    return build_scene(case, question.policy, question.bone, frame, STAND_OFF_MM)


def surroundings(case: Case) -> Surroundings:
    """Prepare a case around the sample's target."""
    question, region = question_about(case)
    scene = scene_for(question, region, case)
    barred = obstacles(case, question.policy, question.bone)
    return Surroundings(
        question=question, region=region, scene=scene, names=tuple(s.name for s in barred),
        meshes=tuple(s.mesh.moved(scene.from_patient) for s in barred),
        margins_mm=np.array([question.policy.rule_of(s).hard_mm or 0.0 for s in barred]),
    )  # fmt: skip


def mixed_lines(count: int, rng: np.random.Generator) -> Lines:
    """Return candidates as a sampling planner draws them: most of them hit something."""
    starts = rng.uniform(-1.0, 1.0, (count, 3)) * PATCH_MM + [0.0, SKIN_Y_MM, 0.0]
    ends = rng.uniform(-1.0, 1.0, (count, 3)) * BOX_MM
    return Lines(starts_mm=frozen(starts), ends_mm=frozen(ends))


def families(around: Surroundings, needle: str = NEEDLE) -> dict[str, LineFamily]:
    """Return the classes of a needle that have a window, by approach and side; one open at last."""
    chosen = needle_named(needle, field="needle")
    gates = classes(around, (needle,))
    named = {f"{g.approach} {g.side}": g for g, _ in gates if not g.window.is_empty}
    named[OPEN] = open_gate(around)
    return {
        name: line_family(gate, around.scene, around.region, chosen.usable_length_mm)
        for name, gate in named.items()
    }


def classes(around: Surroundings, needles: tuple[str, ...]) -> list[tuple[Gate, Needle]]:
    """Return every class of these needles, those without a window included."""
    named = [needle_named(n, field="needles") for n in needles]
    return gates_for(around.question, BY_WINDOW, (Side.LEFT, Side.RIGHT), named)[0]


def open_gate(around: Surroundings) -> Gate:
    """Return a wide window behind the target, as planners without gates search: 140 x 90 mm."""
    left, posterior, superior = around.question.axes
    window = MultiPolygon([shapely.box(-PATCH_MM[0], -PATCH_MM[2], PATCH_MM[0], PATCH_MM[2])])
    return Gate(
        approach=Approach.EXTRAPEDICULAR, side=Side.LEFT, technique=OPEN,
        origin_mm=around.region.centre_mm + OPEN_MM * posterior,
        axes=np.stack([left, superior, -posterior]), window=window, uncut=window,
        inscribed_mm=None, lateral_slopes=(-2.0, 2.0), cranial_slopes=(-2.0, 2.0),
    )  # fmt: skip
