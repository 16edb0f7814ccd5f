"""The text of a proof: proof.json of schema trocar/proof/1, read strictly.

Numbers are written in full. Bounds may be infinite and are then the texts ``"inf"`` and
``"-inf"``, because JSON has no infinities. The leaves are not in here (``files``).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import shapely
from jaxtyping import Float
from shapely import MultiPolygon

from planner.case import Side
from planner.errors import ProofError
from planner.proof.model import (
    ClassProof,
    FaceProof,
    FamilyProof,
    Leaves,
    Proof,
    StructureDigest,
    Unsearched,
)
from planner.request import Approach
from planner.result import Status

SCHEMA = "trocar/proof/1"
_INFINITE = {"inf": float("inf"), "-inf": float("-inf")}
_HEAD = ("schema", "case_digest", "request_digest", "planner_version", "request")
_LISTS = ("structures", "families", "classes", "unsearched")
_FAMILY = (
    "file", "sha256", "gate", "target", "reach_mm", "usable_length_mm", "faces",
    "upper_bound_mm", "leaves",
)  # fmt: skip
_GATE = ("origin_mm", "axes", "window_wkt", "lateral_slopes", "cranial_slopes")
_FACE = ("kind", "plane", "origin_mm", "axes", "low", "high", "rules")
_CLASS = (
    "approach", "side", "needle", "radius_mm", "family", "status", "best_margin_mm",
    "upper_bound_mm", "best_path",
)  # fmt: skip
_GATE_FACE, _TARGET_FACE = "gate", "target"
_Choice = TypeVar("_Choice", bound=StrEnum)
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavesFile:
    """Where the leaves of a family are: file name, SHA-256 (hex) of the file, how many."""

    name: str
    sha256: str
    leaves: int


def document_of(
    proof: Proof, request_document: Mapping[str, Any], files: list[LeavesFile]
) -> dict[str, Any]:
    """Return proof.json; ``files`` hold the leaves of each family."""
    return {
        "schema": SCHEMA,
        "case_digest": proof.case_digest,
        "request_digest": proof.request_digest,
        "planner_version": proof.planner_version,
        "request": dict(request_document),
        "structures": [{"name": s.name, "digest": s.digest} for s in proof.structures],
        "families": [_family(f, file) for f, file in zip(proof.families, files, strict=True)],
        "classes": [_class(c) for c in proof.classes],
        "unsearched": [
            {"approach": u.approach, "side": u.side, "needle": u.needle, "reason": u.reason}
            for u in proof.unsearched
        ],
    }


def _family(family: FamilyProof, file: LeavesFile) -> dict[str, Any]:
    return {
        "file": file.name,
        "sha256": file.sha256,
        "gate": {
            "origin_mm": family.origin_mm.tolist(),
            "axes": family.axes.tolist(),
            "window_wkt": _wkt(family.window),
            "lateral_slopes": list(family.lateral_slopes),
            "cranial_slopes": list(family.cranial_slopes),
        },
        "target": {"normals": family.normals.tolist(), "offsets": family.offsets.tolist()},
        "reach_mm": family.reach_mm,
        "usable_length_mm": family.usable_length_mm,
        "faces": [_face(face) for face in family.faces],
        "upper_bound_mm": _bound(family.upper_bound_mm),
        "leaves": file.leaves,
    }


def _face(face: FaceProof) -> dict[str, Any]:
    return {
        "kind": _GATE_FACE if face.plane is None else _TARGET_FACE,
        "plane": face.plane,
        "origin_mm": face.origin_mm.tolist(),
        "axes": face.axes.tolist(),
        "low": face.low.tolist(),
        "high": face.high.tolist(),
        "rules": face.rules.tolist(),
    }


def _wkt(window: MultiPolygon) -> str:
    """Return a multipolygon as WKT that reads as the same float64 numbers."""
    polygons = []
    for polygon in window.geoms:
        rings = [
            ", ".join(f"{x!r} {y!r}" for x, y in ring.coords)
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        polygons.append("".join(["((", "), (".join(rings), "))"]))
    return f"MULTIPOLYGON ({', '.join(polygons)})"


def _class(one: ClassProof) -> dict[str, Any]:
    return {
        "approach": one.approach,
        "side": one.side,
        "needle": one.needle,
        "radius_mm": one.radius_mm,
        "family": one.family,
        "status": one.status,
        "best_margin_mm": None if one.best_margin_mm is None else _bound(one.best_margin_mm),
        "upper_bound_mm": _bound(one.upper_bound_mm),
        "best_path": None if one.best_path is None else one.best_path.tolist(),
    }


def _bound(value: float) -> float | str:
    return float(value) if np.isfinite(value) else str(float(value))


class Node:
    """A value of a JSON document and the path to it; what it should be is asked of it.

    Every question raises ProofError, naming the path, where the value is something else.
    """

    def __init__(self, value: Any, field: str) -> None:  # noqa: ANN401  what JSON holds
        self.value = value
        self.field = field

    def refused(self, rule: str) -> ProofError:
        """Return the error for a value that is not what it must be."""
        return ProofError(f"must be {rule}; write the proof anew", field=self.field, code="schema")

    def members(self, *names: str) -> dict[str, "Node"]:
        """Return the members of an object that has these and no others."""
        if not isinstance(self.value, dict) or set(self.value) != set(names):
            raise self.refused(f"an object of exactly {', '.join(names)}")
        return {name: Node(self.value[name], f"{self.field}.{name}") for name in names}

    def items(self) -> list["Node"]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            raise self.refused("a list")
        return [Node(item, f"{self.field}[{i}]") for i, item in enumerate(self.value)]

    def text(self) -> str:
        """Return a text."""
        if not isinstance(self.value, str):
            raise self.refused("a text")
        return self.value

    def count(self) -> int:
        """Return a whole number of 0 or more."""
        if type(self.value) is not int or self.value < 0:
            raise self.refused("a whole number of 0 or more")
        return self.value

    def number(self) -> float:
        """Return a finite number."""
        return float(self.numbers())

    def bound(self) -> float:
        """Return a number, which may be infinite."""
        infinite = _INFINITE.get(self.value) if isinstance(self.value, str) else None
        return self.number() if infinite is None else infinite

    def choice(self, kind: type[_Choice]) -> _Choice:
        """Return one of the choices of an enumeration."""
        if self.value not in list(kind):
            raise self.refused(f"one of {', '.join(kind)}")
        return kind(self.value)

    def numbers(self, *shape: int | None) -> Float[np.ndarray, "..."]:
        """Return finite numbers nested in this shape; None stands for any length."""
        try:
            array = np.array(self.value)
        except ValueError:
            array = np.array(None)
        fits = array.ndim == len(shape) and all(
            wanted in {None, there} for wanted, there in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype.kind not in "fi" or not np.isfinite(array).all():
            raise self.refused(f"finite numbers of shape {[n or 'any' for n in shape]}")
        return array.astype(np.float64)

    def window(self) -> MultiPolygon:
        """Return a valid, non-empty multipolygon written as WKT."""
        shape = shapely.from_wkt(self.text(), on_invalid="ignore")
        if not isinstance(shape, MultiPolygon) or shape.is_empty or not shape.is_valid:
            raise self.refused("the WKT of a valid MULTIPOLYGON")
        return shape


def parsed(raw: bytes, field: str) -> Node:
    """Return the JSON document ``raw``; NaN, infinities and keys given twice are refused.

    Raises:
        ProofError: ``malformed-json``.
    """
    try:
        document = json.loads(raw, parse_constant=_no_json_number, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ProofError(
            f"is not JSON: {error}; write the proof anew", field=field, code="malformed-json"
        ) from None
    return Node(document, field)


def _no_json_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an object has a key twice")
    return dict(pairs)


def files_of(root: Node) -> list[LeavesFile]:
    """Return where the leaves of each family are.

    Raises:
        ProofError: If the document is not of this schema, or names other files than it should.
    """
    head = root.members(*_HEAD, *_LISTS)
    if head["schema"].value != SCHEMA:
        raise head["schema"].refused(f"{SCHEMA!r}, which is what this version reads")
    files = []
    for k, node in enumerate(head["families"].items()):
        parts = node.members(*_FAMILY)
        name, sha256 = parts["file"].text(), parts["sha256"].text()
        if name != leaves_name(k):
            raise parts["file"].refused(repr(leaves_name(k)))
        files.append(LeavesFile(name=name, sha256=sha256, leaves=parts["leaves"].count()))
    return files


def leaves_name(k: int) -> str:
    """Return the name of the file with the leaves of family ``k``."""
    return f"family-{k}.npz"


def proof_from(root: Node, leaves: list[Leaves]) -> tuple[Proof, Mapping[str, Any]]:
    """Return the proof, and the request it is about, from proof.json and its families' leaves.

    Raises:
        ProofError: Naming the field that is not as it should be.
    """
    head = root.members(*_HEAD, *_LISTS)
    request = head["request"]
    if not isinstance(request.value, dict):
        raise request.refused("an object")
    families = head["families"].items()
    proof = Proof(
        case_digest=head["case_digest"].text(),
        request_digest=head["request_digest"].text(),
        planner_version=head["planner_version"].text(),
        structures=tuple(_structure_from(n) for n in head["structures"].items()),
        families=tuple(_family_from(n, one) for n, one in zip(families, leaves, strict=True)),
        classes=tuple(_class_from(n) for n in head["classes"].items()),
        unsearched=tuple(_unsearched_from(n) for n in head["unsearched"].items()),
    )
    return proof, request.value


def _structure_from(node: Node) -> StructureDigest:
    parts = node.members("name", "digest")
    return StructureDigest(name=parts["name"].text(), digest=parts["digest"].text())


def _family_from(node: Node, leaves: Leaves) -> FamilyProof:
    parts = node.members(*_FAMILY)
    gate, target = parts["gate"].members(*_GATE), parts["target"].members("normals", "offsets")
    normals = target["normals"].numbers(None, 3)
    lateral, cranial = (gate[f"{k}_slopes"].numbers(2).tolist() for k in ("lateral", "cranial"))
    return _built(
        FamilyProof,
        node,
        origin_mm=gate["origin_mm"].numbers(3),
        axes=gate["axes"].numbers(3, 3),
        window=gate["window_wkt"].window(),
        lateral_slopes=(lateral[0], lateral[1]),
        cranial_slopes=(cranial[0], cranial[1]),
        normals=normals,
        offsets=target["offsets"].numbers(len(normals)),
        reach_mm=parts["reach_mm"].number(),
        usable_length_mm=parts["usable_length_mm"].number(),
        faces=tuple(_face_from(face) for face in parts["faces"].items()),
        upper_bound_mm=parts["upper_bound_mm"].bound(),
        leaves=leaves,
    )


def _built(kind: Callable[..., _Part], node: Node, **parts: object) -> _Part:
    """Return a part of a proof; what is wrong with it is named by its path."""
    try:
        return kind(**parts)
    except ProofError as error:
        field = f"{node.field}.{error.field}"
        raise ProofError(str(error), field=field, code=error.code) from None


def _face_from(node: Node) -> FaceProof:
    parts = node.members(*_FACE)
    plane, rules = parts["plane"], parts["rules"]
    kind = _GATE_FACE if plane.value is None else _TARGET_FACE
    if parts["kind"].value != kind:
        raise parts["kind"].refused(f"{kind!r} beside this plane")
    return _built(
        FaceProof,
        node,
        plane=None if plane.value is None else plane.count(),
        origin_mm=parts["origin_mm"].numbers(3),
        axes=parts["axes"].numbers(2, 3),
        low=parts["low"].numbers(4),
        high=parts["high"].numbers(4),
        rules=rules.numbers(None, 5) if rules.items() else np.empty((0, 5)),
    )


def _class_from(node: Node) -> ClassProof:
    parts = node.members(*_CLASS)
    family, best, path = parts["family"], parts["best_margin_mm"], parts["best_path"]
    return ClassProof(
        approach=parts["approach"].choice(Approach),
        side=parts["side"].choice(Side),
        needle=parts["needle"].text(),
        radius_mm=parts["radius_mm"].number(),
        family=None if family.value is None else family.count(),
        status=parts["status"].choice(Status),
        best_margin_mm=None if best.value is None else best.bound(),
        upper_bound_mm=parts["upper_bound_mm"].bound(),
        best_path=None if path.value is None else path.numbers(2, 3),
    )


def _unsearched_from(node: Node) -> Unsearched:
    parts = node.members("approach", "side", "needle", "reason")
    return Unsearched(
        approach=parts["approach"].choice(Approach), side=parts["side"].choice(Side),
        needle=parts["needle"].text(), reason=parts["reason"].text(),
    )  # fmt: skip
