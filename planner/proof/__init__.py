"""A proof as data: what a search ended with, whole (model), as JSON (document), on disk (files)."""

from planner.proof.files import read_proof, require_place, write_proof
from planner.proof.model import (
    LENGTH_RULE,
    ClassProof,
    FaceProof,
    FamilyProof,
    Leaves,
    Proof,
    StructureDigest,
    Unsearched,
    Why,
    structure_digest,
)

__all__ = [
    "LENGTH_RULE", "ClassProof", "FaceProof", "FamilyProof", "Leaves", "Proof", "StructureDigest",
    "Unsearched", "Why", "read_proof", "require_place", "structure_digest", "write_proof",
]  # fmt: skip
