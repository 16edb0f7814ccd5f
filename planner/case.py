"""A case: the facts about one patient's spine as they were handed in, in patient LPS and mm.

What may be touched and how near is not here (``policy``), nor how files are read (``case_io``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from geometry.arrays import Point
from geometry.mesh import Problem, Severity, TriangleMesh
from planner.errors import CaseError, RequestError

LEVELS: tuple[str, ...] = (
    "C7", "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12",
    "L1", "L2", "L3", "L4", "L5", "L6", "S1", "S2",
)  # fmt: skip


class Kind(StrEnum):
    """What a structure is."""

    VERTEBRA = "vertebra"
    SACRUM = "sacrum"
    ILIUM = "ilium"
    RIB = "rib"
    DISC = "disc"
    SCREW = "screw"
    ROD = "rod"
    CROSSLINK = "crosslink"
    CAGE = "cage"
    CEMENT = "cement"
    CANAL = "canal"
    NERVE_ROOT = "nerve_root"
    PLEURA = "pleura"
    VESSEL = "vessel"
    SEGMENTAL_VESSEL = "segmental_vessel"
    ORGAN = "organ"
    FLUID = "fluid"
    SKIN = "skin"
    HALO = "halo"
    LESION = "lesion"
    OTHER_BONE = "other_bone"


HARDWARE = frozenset({Kind.SCREW, Kind.ROD, Kind.CROSSLINK, Kind.CAGE})
BONE = frozenset({Kind.VERTEBRA, Kind.SACRUM, Kind.ILIUM, Kind.RIB, Kind.OTHER_BONE})


class Side(StrEnum):
    """The patient's side."""

    LEFT = "left"
    RIGHT = "right"


class PatientPosition(StrEnum):
    """DICOM patient position (0018,5100) during the procedure."""

    HFS = "HFS"
    HFP = "HFP"
    FFS = "FFS"
    FFP = "FFP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cylinder:
    """A straight screw given as a primitive: shaft axis from head to tip, mm, LPS."""

    head_mm: Point
    tip_mm: Point
    diameter_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tube:
    """A rod given as a primitive: a centreline of at least two points, shape (n, 3), mm, LPS."""

    points_mm: Any
    diameter_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """What a structure that nobody segmented was derived from.

    Attributes:
        confidence: 0 to 1.
        cause: Where its shape comes from.
    """

    confidence: float
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """One segmented or modelled structure, in patient LPS.

    Attributes:
        name: Unique within the case.
        kind: What it is.
        mesh: Its surface, mm; for a primitive, the tessellation that distances refer to.
        level: Vertebral level label, where given.
        side: The patient's side, where given.
        primitive: The primitive it was given as, if it was.
        problems: What was found and mended in its mesh.
        source: The file, ``inline`` or primitive type it came from, or ``derived``.
        derived: What it was derived from, where it was not given with the case.
        segmentation_error_mm: How far its surface may be off, as stated; limits widen by it.
    """

    name: str
    kind: Kind
    mesh: TriangleMesh
    level: str | None = None
    side: Side | None = None
    primitive: Cylinder | Tube | None = None
    problems: tuple[Problem, ...] = ()
    source: str = "inline"
    derived: Derivation | None = None
    segmentation_error_mm: float = 0.0


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All structures of one patient, and what was said about them.

    Attributes:
        name: Free text; never logged.
        structures: In the order they were given.
        digest: SHA-256 over the canonical content (LPS, mm), hex.
        patient_position: Position during the procedure, where stated.
        findings: Per level: ``lamina_removed``, ``height_loss_percent`` and so on.
        landmarks: Anatomy stated by the caller, by level, in place of what is derived.
        provenance: Where the data came from, as given.
        warnings: Findings about the case as a whole (overlaps, mirror suspicion ...).
    """

    name: str
    structures: tuple[Structure, ...]
    digest: str
    patient_position: PatientPosition | None = None
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _NOTHING)
    landmarks: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    provenance: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    warnings: tuple[Problem, ...] = ()

    def structure(self, name: str, *, field_name: str = "structure") -> Structure:
        """Return the structure called ``name``.

        Raises:
            RequestError: If there is none; the message lists the names there are.
        """
        for structure in self.structures:
            if structure.name == name:
                return structure
        names = ", ".join(s.name for s in self.structures)
        raise RequestError(
            f"the case has no structure {name!r}; it has: {names}",
            field=field_name, code="unknown-structure",
        )  # fmt: skip

    def of_kind(self, *kinds: Kind) -> tuple[Structure, ...]:
        """Return the structures of these kinds, in the case's order."""
        return tuple(s for s in self.structures if s.kind in kinds)

    def bone_of_level(self, level: str, *, field_name: str = "level") -> Structure:
        """Return the bone that carries ``level``: a vertebra, or the sacrum for S1 and S2.

        Raises:
            RequestError: If the level is unknown or no bone of it is in the case.
        """
        if level not in LEVELS:
            raise RequestError(
                f"{level!r} is not a level; use one of {', '.join(LEVELS)}",
                field=field_name, code="unknown-level",
            )  # fmt: skip
        sacral = level in {"S1", "S2"}
        bones = self.of_kind(Kind.SACRUM if sacral else Kind.VERTEBRA)
        matching = [b for b in bones if b.level == level or (sacral and b.level in {None, "S1"})]
        if len(matching) == 1:
            return matching[0]
        there = ", ".join(f"{b.name} ({b.level})" for b in self.of_kind(Kind.VERTEBRA, Kind.SACRUM))
        problem = "no bone" if not matching else "more than one bone"
        raise RequestError(
            f"the case has {problem} of level {level}; its vertebrae are: {there or 'none'}",
            field=field_name, code="level-not-in-case",
        )  # fmt: skip


__all__ = [
    "BONE", "HARDWARE", "LEVELS", "Case", "CaseError", "Cylinder", "Derivation", "Kind",
    "PatientPosition", "Problem", "Severity", "Side", "Structure", "Tube",
]  # fmt: skip
