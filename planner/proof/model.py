"""A whole proof: every box of lines that a plan's search ended with, and what bounds it.

A proof carries all that is needed to check its certificates without the search
(``planner.proof_check``). Its files are in ``files``. Points and directions are patient LPS, mm.

A line of a family is ``x = (a, b, c, d)``; its point at t is
``origin + ((1-t) a + t c) lateral + ((1-t) b + t d) cranial + t reach normal``. Its *slack* is the
smallest (distance to an obstacle's surface - required distance) from its entry to its tip.
"""

import hashlib
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8, UInt16, UInt32
from shapely import MultiPolygon

from geometry.arrays import Point, Points, Rotation, frozen
from geometry.mesh import TriangleMesh
from planner.case import Side
from planner.errors import ProofError
from planner.request import Approach
from planner.result import Status

DEEPEST_LEVEL = 31
# How far the weights of a leaf's witnesses, or u + v, may be from one by rounding.
WEIGHTS_SUM = 1e-9
FACE_SUM = 1e-12


class Why(IntEnum):
    """Why no line of a leaf has more slack than the leaf's bound."""

    WITNESSES = 0
    OUTSIDE_WINDOW = 1
    OUTSIDE_CONE = 2
    MISSES_TARGET = 3
    TOO_LONG = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaves:
    """The boxes that cover a family's root box, and the witnesses that bound them; read-only.

    Attributes:
        level: How often the root is halved along each of the four numbers.
        index: Which of the ``2**level`` parts the leaf is, along each.
        why: A ``Why`` each.
        bound_mm: Bound on the slack of the leaf's paths, shown by its witnesses; -inf where the
            leaf has no path, inf where it has no witness.
        reach_t: A parameter that every path of the leaf reaches before its tip.
        first_witness: Leaf i has the witnesses ``first_witness[i]`` to ``first_witness[i + 1]``.
        t: Where on the line a witness measures.
        weight: Its share in the weighted mean of its leaf's witnesses.
        structure: Its structure, by its place in the proof's list.
        face: A face of that structure.
        uv: Its surface point ``v0 + u (v1 - v0) + v (v2 - v0)`` on that face.

    Raises:
        ProofError: If a value is out of its range; ``field`` names the array.
    """

    level: UInt8[np.ndarray, "n 4"]
    index: UInt32[np.ndarray, "n 4"]
    why: UInt8[np.ndarray, " n"]
    bound_mm: Float[np.ndarray, " n"]
    reach_t: Float[np.ndarray, " n"]
    first_witness: Int64[np.ndarray, " n_and_1"]
    t: Float[np.ndarray, " m"]
    weight: Float[np.ndarray, " m"]
    structure: UInt16[np.ndarray, " m"]
    face: UInt32[np.ndarray, " m"]
    uv: Float[np.ndarray, "m 2"]

    def __post_init__(self) -> None:
        for field in fields(self):
            array = np.array(getattr(self, field.name), order="C")
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)
        _require("level", self.level <= DEEPEST_LEVEL, f"at most {DEEPEST_LEVEL}")
        parts = np.left_shift(1, self.level.astype(np.int64))
        _require("index", self.index < parts, "less than 2**level")
        _require("why", self.why <= max(Why), f"0 to {max(Why)}")
        _require("reach_t", np.isfinite(self.reach_t) & (self.reach_t >= 0.0), "0 or more")
        self._require_witnesses()

    def _require_witnesses(self) -> None:
        first, counts = self.first_witness, np.diff(self.first_witness)
        ends = len(first) == len(self.why) + 1 and (first[0], first[-1]) == (0, len(self.t))
        _require("first_witness", np.append(counts >= 0, ends), "rising from 0 to the last one")
        bounded = self.why == Why.WITNESSES
        _require("first_witness", bounded | (counts == 0), "the same where why is not 0")
        shown = np.where(counts > 0, np.isfinite(self.bound_mm), self.bound_mm == np.inf)
        _require(
            "bound_mm", np.where(bounded, shown, self.bound_mm == -np.inf),
            "finite with witnesses, inf without, -inf where why is not 0",
        )  # fmt: skip
        _require("t", np.isfinite(self.t), "finite")
        _require("weight", self.weight >= 0.0, "0 or more")
        total = np.bincount(self.owner, self.weight, len(self.why))
        _require("weight", (counts == 0) | (np.abs(total - 1.0) <= WEIGHTS_SUM), "1 in all")
        inside = (self.uv >= 0.0).all(axis=1) & (self.uv.sum(axis=1) <= 1.0 + FACE_SUM)
        _require("uv", inside, "0 or more, and at most 1 together")

    @property
    def owner(self) -> Int64[np.ndarray, " m"]:
        """The leaf of every witness."""
        return np.repeat(np.arange(len(self.why)), np.diff(self.first_witness))


def _require(field: str, keeps: Bool[np.ndarray, "..."], rule: str) -> None:
    """Refuse an array with a value that does not keep its rule.

    Raises:
        ProofError: Naming the array, the first such value's place and the rule.
    """
    if not keeps.all():
        place = int(np.argwhere(~keeps)[0, 0])
        raise ProofError(f"must be {rule}; entry {place} is not", field=field, code="out-of-range")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FamilyProof:
    """The proof for all lines through one gate to the target, no longer than a needle.

    Attributes:
        origin_mm: Origin of the gate's plane.
        axes: Unit axes (rows): lateral, cranial, and the plane's normal towards the body.
        window: The gate's window, in (lateral, cranial) mm, hardware cut out.
        lateral_slopes: Least and greatest slope, lateral mm per mm along the normal.
        cranial_slopes: Least and greatest slope, cranial mm per mm along the normal.
        normals: Outward unit normals of the target's half-spaces ``normals @ p <= offsets``.
        offsets: Their offsets, mm.
        reach_mm: Distance of the aim plane (t = 1) from the gate's plane.
        usable_length_mm: No path is longer.
        low: Least (a, b, c, d) of the root box, mm.
        high: Greatest of the same.
        upper_bound_mm: The largest bound of the leaves: no path has more slack.
        leaves: The boxes.
    """

    origin_mm: Point
    axes: Rotation
    window: MultiPolygon
    lateral_slopes: tuple[float, float]
    cranial_slopes: tuple[float, float]
    normals: Points
    offsets: Float[np.ndarray, " k"]
    reach_mm: float
    usable_length_mm: float
    low: Float[np.ndarray, " 4"]
    high: Float[np.ndarray, " 4"]
    upper_bound_mm: float
    leaves: Leaves

    def __post_init__(self) -> None:
        for name in ("origin_mm", "axes", "normals", "offsets", "low", "high"):
            object.__setattr__(self, name, frozen(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassProof:
    """What is claimed of one class, and the family that shows it.

    Attributes:
        approach: Its approach.
        side: The patient's side.
        needle: Name of its needle.
        radius_mm: Radius of its needle.
        family: Place of its family in the proof, or None where its window is empty.
        status: As in its certificate.
        best_margin_mm: Margin of the best path found, or None if none was found.
        upper_bound_mm: No path of the class has a larger margin; -inf if it has no path.
        best_path: Skin entry and tip of the best path, or None.
    """

    approach: Approach
    side: Side
    needle: str
    radius_mm: float
    family: int | None
    status: Status
    best_margin_mm: float | None
    upper_bound_mm: float
    best_path: Float[np.ndarray, "2 3"] | None

    def __post_init__(self) -> None:
        if self.best_path is not None:
            object.__setattr__(self, "best_path", frozen(self.best_path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsearched:
    """A class that was asked for and of which nothing is claimed, and why."""

    approach: Approach
    side: Side
    needle: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureDigest:
    """A structure of the case and the ``structure_digest`` of its mesh."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proof:
    """What was proved about one request put to one case.

    Attributes:
        case_digest: Of the case.
        request_digest: Of the request.
        planner_version: Of the planner that made it.
        structures: Every structure of the case, in its order; witnesses name them by place.
        families: The searched families.
        classes: The classes (approach x side x needle) of which something is claimed.
        unsearched: The others that were asked for.

    Raises:
        ProofError: If a class names a family that is not there.
    """

    case_digest: str
    request_digest: str
    planner_version: str
    structures: tuple[StructureDigest, ...]
    families: tuple[FamilyProof, ...]
    classes: tuple[ClassProof, ...]
    unsearched: tuple[Unsearched, ...]

    def __post_init__(self) -> None:
        for i, one in enumerate(self.classes):
            if one.family is not None and not 0 <= one.family < len(self.families):
                raise ProofError(
                    f"must be null or less than {len(self.families)}, the number of families",
                    field=f"classes[{i}].family", code="out-of-range",
                )  # fmt: skip


def structure_digest(mesh: TriangleMesh) -> str:
    """Return the SHA-256 (hex) of a mesh's vertices (float64, mm) and faces (int64)."""
    digest = hashlib.sha256(mesh.vertices.astype("<f8").tobytes())
    digest.update(mesh.faces.astype("<i8").tobytes())
    return digest.hexdigest()
