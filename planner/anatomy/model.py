"""What the planner knows of a bone once it has been read from the mesh."""

from collections.abc import Mapping
from dataclasses import dataclass

from shapely import MultiPolygon, Polygon

from geometry.arrays import Point, Vector
from geometry.frames import RigidTransform
from geometry.mesh import Problem
from planner.case import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Pedicle:
    """One pedicle at its isthmus, in patient LPS.

    The isthmus plane has its origin at ``centre_mm`` and the in-plane axes ``lateral`` (away from
    the midline, on this side) and ``cranial``; the polygon's coordinates are along these two.

    Attributes:
        side: The patient's side.
        centre_mm: Centroid of the isthmus outline.
        axis: Unit vector along the pedicle, posterior to anterior; normal of the plane.
        lateral: Unit in-plane axis pointing laterally.
        cranial: Unit in-plane axis pointing cranially; ``lateral``, ``cranial`` span the plane.
        outline: Outer bone contour of the isthmus, in-plane mm.
        width_mm: Extent along ``lateral``.
        height_mm: Extent along ``cranial``.
        confidence: 0 to 1, with its cause in ``cause``.
        cause: Why the confidence is what it is.
    """

    side: Side
    centre_mm: Point
    axis: Vector
    lateral: Vector
    cranial: Vector
    outline: Polygon
    width_mm: float
    height_mm: float
    confidence: float
    cause: str

    def in_plane(self, point: Point) -> tuple[float, float, float]:
        """Return (lateral, cranial, along-axis) coordinates of a patient point, mm."""
        offset = point - self.centre_mm
        return (
            float(offset @ self.lateral),
            float(offset @ self.cranial),
            float(offset @ self.axis),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SacralPedicle(Pedicle):
    """A pedicle of S1 in the plane of its gate, which no wall ends towards the ala.

    Attributes:
        ala: Bone of the ala in the same plane and heights, beside ``outline``, in-plane mm.
        foramen_mm: Middle of the first sacral foramen where the plane cuts it, patient LPS.
    """

    ala: Polygon
    foramen_mm: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Something that could not be derived, and why; what depends on it is refused, not guessed."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The vertebral body, in its vertebral frame (x left, y posterior, z superior; mm).

    Attributes:
        width_mm: Left-right extent at mid-height, in front of the pedicles.
        depth_mm: Midline depth at mid-height, posterior wall to anterior cortex.
        posterior_height_mm: Midline height at the posterior wall.
        anterior_height_mm: Midline height at the anterior wall.
        superior_mm: Point on the mean superior endplate plane, vertebral frame.
        superior_normal: Its outward (cranial) unit normal, vertebral frame.
        inferior_mm: Point on the mean inferior endplate plane, vertebral frame.
        inferior_normal: Its outward (caudal) unit normal, vertebral frame.
        outline: Axial outline of the body at mid-height, (left, posterior) mm.
    """

    width_mm: float
    depth_mm: float
    posterior_height_mm: float
    anterior_height_mm: float
    superior_mm: Point
    superior_normal: Vector
    inferior_mm: Point
    inferior_normal: Vector
    outline: Polygon


@dataclass(frozen=True, slots=True, kw_only=True)
class VertebraAnatomy:
    """A vertebra (or the first sacral segment) read from its mesh.

    Attributes:
        structure: Name of the bone's structure.
        level: Level label.
        frame: ``vertebra_from_patient``: origin at the body's centre (midway between posterior
            wall and anterior cortex and between the endplates, on the plane of symmetry), x to the
            patient's left, y posterior, z superior (DOMAIN 2.1).
        body: The vertebral body.
        pedicles: Per side, the pedicle or why there is none.
        confidence: 0 to 1 for frame and body.
        cause: Why the confidence is what it is.
        warnings: Sentences a person should read.
    """

    structure: str
    level: str
    frame: RigidTransform
    body: Body
    pedicles: Mapping[Side, Pedicle | Unavailable]
    confidence: float
    cause: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrewAxis:
    """A screw's shaft: where it meets the head, where it ends, and how thick it is (LPS, mm).

    Attributes:
        structure: Name of the structure, or of the part of one (``metal#2``).
        head_mm: Where the shaft meets the head.
        tip_mm: Where the shaft ends.
        diameter_mm: Outer diameter of the thread.
        level: Level of the bone that holds it, else the stated one.
        side: The patient's side.
        confidence: 0 to 1.
        cause: Why the confidence is what it is.
        has_head: Whether a head was seen; without one ``head_mm`` is the shaft's outer end.
    """

    structure: str
    head_mm: Point
    tip_mm: Point
    diameter_mm: float
    level: str | None
    side: Side | None
    confidence: float = 1.0
    cause: str = "as given"
    has_head: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RodLine:
    """A rod's centreline, cranial end first, shape (n, 3), LPS mm, and its diameter.

    Attributes:
        structure: Name of the structure, or of the part of one (``metal#1``).
        points_mm: The centreline.
        diameter_mm: Diameter of the circle with the area of its section.
        side: The patient's side.
        confidence: 0 to 1.
        cause: Why the confidence is what it is.
    """

    structure: str
    points_mm: object
    diameter_mm: float
    side: Side | None
    confidence: float = 1.0
    cause: str = "as given"


@dataclass(frozen=True, slots=True, kw_only=True)
class CageEnds:
    """A cage's two bearing faces, in patient LPS.

    Attributes:
        structure: Name of the cage's structure.
        cranial_mm: Centre of the face that bears on the vertebra above.
        caudal_mm: Centre of the face that bears on the vertebra below.
        axis: Unit vector from caudal to cranial, square to the mean of both faces.
        left: Unit vector across ``axis`` to the patient's left.
        posterior: ``axis`` x ``left``.
        outline: The cage seen along ``axis``, in (left, posterior) mm about the middle between the
            two centres.
        confidence: 0 to 1.
        cause: Why the confidence is what it is.
        above: Level of the bone that its cranial face looks at, if one is near and known.
        below: The same for its caudal face.
        side: On which side of the midline its middle lies; None near the midline.
    """

    structure: str
    cranial_mm: Point
    caudal_mm: Point
    axis: Vector
    left: Vector
    posterior: Vector
    outline: Polygon | MultiPolygon
    confidence: float = 1.0
    cause: str = "as given"
    above: str | None = None
    below: str | None = None
    side: Side | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareAnatomy:
    """All the metal of a case, by the name of the structure, or of its part (``metal#2``).

    Attributes:
        screws: Every screw's shaft.
        rods: Every rod's centreline.
        crosslinks: Centrelines of the bars that join rods, where they were told in a block.
        cages: Every cage's bearing faces.
        findings: What is wrong with them, or with what was stated about them.
    """

    screws: Mapping[str, ScrewAxis | Unavailable]
    rods: Mapping[str, RodLine | Unavailable]
    crosslinks: Mapping[str, RodLine]
    cages: Mapping[str, CageEnds | Unavailable]
    findings: Mapping[str, tuple[Problem, ...]]
