"""A vertebra's frame, body and pedicles, read from its mesh."""

from dataclasses import replace
from itertools import islice
from types import MappingProxyType

import numpy as np

from geometry.frames import frame_from_axes
from geometry.mesh import TriangleMesh
from planner.anatomy.body import (
    LOOKS,
    BodyBox,
    Face,
    face_turn,
    measured_body,
    rough_box,
    settled_box,
    squared_box,
    surface_of,
)
from planner.anatomy.fragment import (
    RIM_LOOKS,
    STANDS_OUT_MM,
    stands_out_mm,
    without_fragment,
)
from planner.anatomy.model import Body, Unavailable, VertebraAnatomy
from planner.anatomy.morphometry import ACCEPTED, NORMS
from planner.anatomy.pedicles import both_pedicles, leaning_on
from planner.anatomy.scan_edge import cut_edges
from planner.anatomy.slicing import Slicer, planes_across
from planner.anatomy.solid import BY_FACES, calmed, outer_solid
from planner.anatomy.symmetry import MirrorPlane, mirror_planes
from planner.case import Structure

BODY_REACH = 1.08  # half extents within which a flat cut takes something of the body
CUT = 0.3  # confidence in a body that is cut off
ASKEW_RAD = 0.17  # between the body's faces and its symmetry; beyond it the faces are right
PLANES = 2  # of symmetry that are tried
SQUARINGS = 3
USUAL_HEIGHT = 0.7  # of an adult body, by its depth
TALLEST = 1.75  # times the usual; two bodies and their disc measure 2.25
NEXT_BODY = 1.25  # usual heights from the middle of one body to that of the next
FUSED = (
    "two or more vertebrae are one mesh; each level has to be a structure of its own: segment them "
    "apart, or let `trocar split` try"
)
BURST = 0.45  # confidence in a body whose posterior wall has a fragment in the canal
WEDGE = 0.8  # anterior over posterior height below which a body is called wedged
Settled = tuple[BodyBox, dict[str, Face], float]  # and how far a fragment stands out, mm


def vertebra_anatomy(
    bone: Structure, *, canal: Structure | None = None
) -> VertebraAnatomy | Unavailable:
    """Read the frame, the body and the pedicles of a vertebra from T1 to L6.

    Args:
        bone: The vertebra; its level, if any, serves the check against adult norms.
        canal: The canal or dural sac, if there is one; it tells which way is back.

    Returns:
        The anatomy in patient LPS, or why there is none. It moves with the bone, and mirroring the
        bone swaps left and right; which side is left is read off LPS x.
    """
    mesh = outer_solid(bone.mesh)
    calm = calmed(mesh, BY_FACES)
    found = _found(calm, canal.mesh if canal else None)
    if isinstance(found, Unavailable):
        return found
    mirror, (box, faces, out_mm) = found
    edges = cut_edges(calm, box.axes)
    is_cut = any(edge.within(box.centre, box.axes, BODY_REACH * box.half) for edge in edges)
    if not is_cut and _holds_another(calm, box):
        return Unavailable(reason=FUSED)
    body = measured_body(mesh, box, faces)
    trust, cause = _trust(body, faces, mirror, bone.level)
    confidence = trust
    if is_cut:
        confidence = min(trust, CUT)
        cause = "the body is cut off flat, as at the edge of a scan"
    elif out_mm > 0.0:
        confidence = min(trust, BURST)
        cause = "the posterior wall is broken, and was read at its rims"
    pedicles = leaning_on(trust, confidence, both_pedicles(mesh, box, bone.level, edges), mesh, box)
    return VertebraAnatomy(
        structure=bone.name,
        level=bone.level or bone.name,
        frame=frame_from_axes(name=bone.name, origin_mm=box.centre, axes=box.axes),
        body=body,
        pedicles=MappingProxyType(pedicles),
        confidence=confidence,
        cause=cause,
        warnings=tuple(_warnings(body, box, out_mm)),
    )


def found_body(mesh: TriangleMesh) -> BodyBox | Unavailable:
    """Return the body of a vertebra, or what is taken for one, patient LPS, mm."""
    found = _found(mesh, None)
    return found if isinstance(found, Unavailable) else found[1][0]


def usual_height(box: BodyBox) -> float:
    """Return how tall an adult body of this depth usually is, mm."""
    return float(USUAL_HEIGHT * 2.0 * box.half[1])


def _found(
    mesh: TriangleMesh, canal: TriangleMesh | None
) -> tuple[MirrorPlane, Settled] | Unavailable:
    """Find the body about the likeliest plane of symmetry, or about the next where it has none."""
    refused = Unavailable(reason="the bone has no plane of symmetry")
    for mirror in islice(mirror_planes(mesh), PLANES):
        rough = rough_box(mesh, mirror, canal)
        settled = rough if isinstance(rough, Unavailable) else _settled(mesh, rough)
        if not isinstance(settled, Unavailable):
            return mirror, settled
        refused = settled
    return refused


def _settled(mesh: TriangleMesh, rough: BodyBox) -> Settled | Unavailable:
    """Settle the box; where symmetry misled it, the body's own faces set it straight."""
    surface, looks, out_mm = surface_of(mesh), LOOKS, 0.0
    settled = settled_box(surface, rough)
    if not isinstance(settled, Unavailable):
        stands_out = stands_out_mm(surface, settled[0])
        if stands_out > STANDS_OUT_MM:
            surface, box = without_fragment(surface, settled[0], stands_out)
            looks, out_mm = RIM_LOOKS, stands_out
            settled = settled_box(surface, box, looks)
    for _ in range(SQUARINGS):
        if isinstance(settled, Unavailable) or np.abs(face_turn(settled[1])).max() < ASKEW_RAD:
            break
        settled = settled_box(surface, squared_box(*settled), looks)
    if isinstance(settled, Unavailable):
        return settled
    box, faces = settled
    if out_mm > 0.0:  # little of the wall is left at its rims, which is no sign of a bad reading
        faces = faces | {"posterior": replace(faces["posterior"], coverage=1.0)}
    return box, faces, out_mm


def _holds_another(mesh: TriangleMesh, box: BodyBox) -> bool:
    """Tell whether the body is as tall as two, or another one lies where the next would."""
    usual = usual_height(box)
    if 2.0 * box.half[2] > TALLEST * usual:
        return True
    steps = np.array([0.0, NEXT_BODY, -NEXT_BODY])[:, None] * usual * box.axes[2]
    turned = np.broadcast_to(box.axes[2], (3, 3)), np.broadcast_to(box.axes[1], (3, 3))
    cuts = Slicer(mesh).contours(planes_across(box.centre + steps, *turned))
    return bool(((cuts.apart_mm == 0.0) & (cuts.areas > 0.5 * cuts.areas[0]))[1:].any())


def _trust(
    body: Body, faces: dict[str, Face], mirror: MirrorPlane, level: str | None
) -> tuple[float, str]:
    """Return the least of the signs of a good reading, and a sentence about it."""
    endplates = max(faces["superior"].spread_mm, faces["inferior"].spread_mm)
    signs = [
        (min(1.0, mirror.match / 0.5), f"symmetry match {mirror.match:.2f} of 1"),
        (min(1.0, 1.5 / max(endplates, 1e-9)), f"endplates flat to {endplates:.1f} mm"),
        (min(f.coverage for f in faces.values()), "a face of the body is partly missing"),
    ]
    askew = float(np.abs(face_turn(faces)).max())
    if askew > ASKEW_RAD:
        said = f"the body's faces are {np.degrees(askew):.0f} degrees askew to its symmetry"
        signs.append((0.8 * ASKEW_RAD / askew, said))
    norm = NORMS.get(level or "")
    low, high = ACCEPTED
    if norm is None:
        signs.append((0.8, f"no adult norm for level {level or 'unknown'}"))
    else:
        for name, found, mean in (
            ("width", body.width_mm, norm.body_width_mm),
            ("depth", body.depth_mm, norm.body_depth_mm),
            ("posterior height", body.posterior_height_mm, norm.body_height_mm),
        ):
            if not low <= found / mean <= high:
                signs.append(
                    (0.4, f"body {name} {found:.1f} mm, adult mean at {level} {mean:.1f} mm")
                )
    confidence, cause = min(signs, key=lambda sign: sign[0])
    return round(0.97 * confidence, 3), cause


def _warnings(body: Body, box: BodyBox, out_mm: float) -> list[str]:
    """Name what a person should look at."""
    found = []
    if out_mm > 0.0:
        found.append(
            f"the posterior wall stands about {out_mm:.0f} mm behind its rims, as a fragment in "
            "the canal does"
        )
    if box.axes[2][2] < 0.0:
        found.append(
            "the vertebra points downward once left is left: the mesh may be mirrored "
            "or in another coordinate system"
        )
    ratio = body.anterior_height_mm / body.posterior_height_mm
    if ratio < WEDGE:
        found.append(
            f"the body is wedged: anterior height is {100.0 * ratio:.0f} % of the posterior height"
        )
    tilt = np.degrees(np.arccos(min(1.0, float(-body.superior_normal @ body.inferior_normal))))
    if tilt > 20.0:
        found.append(f"the endplates are {tilt:.0f} degrees apart")
    return found
