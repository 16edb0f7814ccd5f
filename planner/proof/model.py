"""A whole proof: every box of lines that a plan's search ended with, and what bounds it.

A proof carries all that is needed to check its certificates without the search
(``planner.checker.check``). Its files are in ``files``. Points and directions are patient LPS, mm.

A family's lines fall into *faces*: by the face of the target through which they enter it, or, where
the gate point itself lies in the target, into one more. A line of a face is ``x = (a, b, c, d)``:
gate point ``P = origin + a lateral + b cranial``, a second point ``Q = F + c f1 + d f2``, and
``p_x(t) = (1 - t) P + t Q``. Its *slack* is the smallest (distance to an obstacle's surface -
required distance) from its entry to its tip.
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
# Larger numbers than these have no meaning, and could overflow into a claim that seems to hold.
LARGEST = 1e6
LARGEST_MU = 1e12
# How far the weights of a leaf's witnesses, or u + v, may be from one by rounding.
WEIGHTS_SUM = 1e-9
FACE_SUM = 1e-12
UNIT = 1e-9  # how far the length of a normal may be from one


LENGTH_RULE = 65535  # stands for: no path is longer than the needle


class Why(IntEnum):
    """Why no line of a leaf has more slack than the leaf's bound."""

    BOUNDED = 0
    OUTSIDE_WINDOW = 1
    BREAKS_RULE = 2
    NO_TIP = 3
    TOO_LONG = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaves:
    """The boxes that cover the faces of a family, and what bounds them; read-only.

    Attributes:
        face_of: The face that a leaf belongs to, by its place in the family.
        level: How often the face's root box is halved along each of the four numbers.
        index: Which of the ``2**level`` parts the leaf is, along each.
        why: A ``Why`` each.
        bound_mm: Bound on the slack of the leaf's paths, shown by witnesses and rules; -inf where
            the leaf has no path, inf where it has no witness.
        reach_t: A parameter that every path of the leaf reaches before its tip, or has there.
        back_t: A parameter, at most 0, after which every path of the leaf enters the skin's inside
            no more: its entry lies before it.
        beyond_t: A parameter, at most back_t, at which all lines of the leaf have passed the plane.
        plane: A unit normal and an offset, mm: the entry of every path has
            ``normal @ entry >= offset``. 0 where no plane is laid before the skin.
        first_witness: Leaf i has the witnesses ``first_witness[i]`` to ``first_witness[i + 1]``.
        t: Where on the line a witness measures.
        weight: Its share in the weighted mean of its leaf's witnesses.
        structure: Its structure, by its place in the proof's list.
        face: A triangle of that structure.
        uv: Its surface point ``v0 + u (v1 - v0) + v (v2 - v0)`` on that triangle.
        first_rule: Leaf i weighs the rules ``first_rule[i]`` to ``first_rule[i + 1]``.
        rule: A rule of the leaf's face, by its place, or ``LENGTH_RULE``.
        mu: What it is multiplied by.

    Raises:
        ProofError: If a value is out of its range; ``field`` names the array.
    """

    face_of: UInt8[np.ndarray, " n"]
    level: UInt8[np.ndarray, "n 4"]
    index: UInt32[np.ndarray, "n 4"]
    why: UInt8[np.ndarray, " n"]
    bound_mm: Float[np.ndarray, " n"]
    reach_t: Float[np.ndarray, " n"]
    back_t: Float[np.ndarray, " n"]
    beyond_t: Float[np.ndarray, " n"]
    plane: Float[np.ndarray, "n 4"]
    first_witness: Int64[np.ndarray, " n_and_1"]
    t: Float[np.ndarray, " m"]
    weight: Float[np.ndarray, " m"]
    structure: UInt16[np.ndarray, " m"]
    face: UInt32[np.ndarray, " m"]
    uv: Float[np.ndarray, "m 2"]
    first_rule: Int64[np.ndarray, " n_and_1"]
    rule: UInt16[np.ndarray, " k"]
    mu: Float[np.ndarray, " k"]

    def __post_init__(self) -> None:
        for field in fields(self):
            array = np.array(getattr(self, field.name), order="C")
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)
        _require("level", self.level <= DEEPEST_LEVEL, f"at most {DEEPEST_LEVEL}")
        parts = np.left_shift(1, self.level.astype(np.int64))
        _require("index", self.index < parts, "less than 2**level")
        _require("why", self.why <= max(Why), f"0 to {max(Why)}")
        _require("reach_t", (self.reach_t >= 0.0) & (self.reach_t <= LARGEST), "0 to 1e6")
        _require("back_t", (self.back_t <= 0.0) & (self.back_t >= -LARGEST), "-1e6 to 0")
        _require("beyond_t", np.abs(self.beyond_t) <= LARGEST, "-1e6 to 1e6")
        sizes = np.linalg.norm(self.plane[:, :3], axis=1)
        unit = (np.abs(sizes - 1.0) <= UNIT) | ~self.plane.any(axis=1)
        _require("plane", unit & (np.abs(self.plane[:, 3]) <= LARGEST), "a unit normal, or all 0")
        self._require_rows("first_witness", self.t)
        self._require_rows("first_rule", self.mu)
        _require("mu", (self.mu >= 0.0) & (self.mu <= LARGEST_MU), "0 to 1e12")
        self._require_witnesses()

    def _require_rows(self, field: str, rows: Float[np.ndarray, " r"]) -> None:
        first, counts = getattr(self, field), np.diff(getattr(self, field))
        ends = len(first) == len(self.why) + 1 and (first[0], first[-1]) == (0, len(rows))
        _require(field, np.append(counts >= 0, ends), "rising from 0 to the last one")
        bounded = self.why == Why.BOUNDED
        _require(field, bounded | (counts == 0), "the same where why is not 0")

    def _require_witnesses(self) -> None:
        counts = np.diff(self.first_witness)
        shown = np.where(counts > 0, np.isfinite(self.bound_mm), self.bound_mm == np.inf)
        _require(
            "bound_mm", np.where(self.why == Why.BOUNDED, shown, self.bound_mm == -np.inf),
            "finite with witnesses, inf without, -inf where why is not 0",
        )  # fmt: skip
        _require("t", np.abs(self.t) <= LARGEST, "-1e6 to 1e6")
        _require("weight", self.weight >= 0.0, "0 or more")
        total = np.bincount(self.owner, self.weight, len(self.why))
        _require("weight", (counts == 0) | (np.abs(total - 1.0) <= WEIGHTS_SUM), "1 in all")
        inside = (self.uv >= 0.0).all(axis=1) & (self.uv.sum(axis=1) <= 1.0 + FACE_SUM)
        _require("uv", inside, "0 or more, and at most 1 together")

    @property
    def owner(self) -> Int64[np.ndarray, " m"]:
        """The leaf of every witness."""
        return np.repeat(np.arange(len(self.why)), np.diff(self.first_witness))

    @property
    def rule_owner(self) -> Int64[np.ndarray, " k"]:
        """The leaf of every weighed rule."""
        return np.repeat(np.arange(len(self.why)), np.diff(self.first_rule))


def _require(field: str, keeps: Bool[np.ndarray, "..."], rule: str) -> None:
    """Refuse an array with a value that does not keep its rule.

    Raises:
        ProofError: Naming the array, the first such value's place and the rule.
    """
    if not keeps.all():
        place = int(np.argwhere(~keeps)[0, 0])
        raise ProofError(f"must be {rule}; entry {place} is not", field=field, code="out-of-range")


def _require_measure(field: str, values: Float[np.ndarray, "..."]) -> None:
    _require(field, np.atleast_1d(np.abs(values) <= LARGEST), "-1e6 to 1e6")


def _freeze(part: object, *names: str) -> None:
    """Make arrays of a frozen dataclass read-only, if all they hold is within measure."""
    for name in names:
        array = frozen(getattr(part, name))
        _require_measure(name, array)
        object.__setattr__(part, name, array)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceProof:
    """The lines of a family that enter the target through one face, or start inside it.

    Attributes:
        plane: The target's half-space whose plane is the face's; None for the lines that start in
            the target, whose second points Q lie on the aim plane.
        origin_mm: A point F of the plane of the second points.
        axes: Unit vectors f1, f2 (rows) in it, square to one another.
        low: Least (a, b, c, d) of the root box, mm.
        high: Greatest of the same.
        rules: Rows; ``row[:4] @ x <= row[4]`` for every line of the face.

    Raises:
        ProofError: If a number is not finite, or is beyond all measure.
    """

    plane: int | None
    origin_mm: Point
    axes: Float[np.ndarray, "2 3"]
    low: Float[np.ndarray, " 4"]
    high: Float[np.ndarray, " 4"]
    rules: Float[np.ndarray, "r 5"]

    def __post_init__(self) -> None:
        _freeze(self, "origin_mm", "axes", "low", "high", "rules")


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
        reach_mm: Distance of the aim plane from the gate's plane.
        usable_length_mm: No path is longer.
        faces: The faces into which its lines fall.
        upper_bound_mm: The largest bound of the leaves: no path has more slack.
        leaves: The boxes.

    Raises:
        ProofError: If a leaf names a face or a rule that is not there, or a number is not finite
            or beyond all measure.
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
    faces: tuple[FaceProof, ...]
    upper_bound_mm: float
    leaves: Leaves

    def __post_init__(self) -> None:
        _freeze(self, "origin_mm", "axes", "normals", "offsets")
        for name in ("reach_mm", "usable_length_mm", "lateral_slopes", "cranial_slopes"):
            _require_measure(name, np.asarray(getattr(self, name)))
        leaves, counts = self.leaves, np.array([len(face.rules) for face in self.faces])
        _require("face_of", leaves.face_of < len(counts), f"less than {len(counts)}")
        there = leaves.rule < counts[leaves.face_of[leaves.rule_owner]]
        _require("rule", there | (leaves.rule == LENGTH_RULE), "a rule of its leaf's face")


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
