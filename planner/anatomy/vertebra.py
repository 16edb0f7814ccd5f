"""A vertebra's frame, body and pedicles, read from its mesh."""

from types import MappingProxyType

import numpy as np

from geometry.frames import frame_from_axes
from planner.anatomy.body import BodyBox, Face, measured_body, rough_box, settled_box, surface_of
from planner.anatomy.model import Body, Unavailable, VertebraAnatomy
from planner.anatomy.morphometry import ACCEPTED, NORMS
from planner.anatomy.pedicle import pedicle
from planner.anatomy.symmetry import MirrorPlane, mirror_plane
from planner.case import Side, Structure

WEDGE = 0.8  # anterior over posterior height below which a body is called wedged


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
    mirror = mirror_plane(bone.mesh)
    rough = rough_box(bone.mesh, mirror, canal.mesh if canal else None)
    if isinstance(rough, Unavailable):
        return rough
    settled = settled_box(surface_of(bone.mesh), rough)
    if isinstance(settled, Unavailable):
        return settled
    box, faces = settled
    body = measured_body(bone.mesh, box, faces)
    confidence, cause = _trust(body, faces, mirror, bone.level)
    return VertebraAnatomy(
        structure=bone.name,
        level=bone.level or bone.name,
        frame=frame_from_axes(name=bone.name, origin_mm=box.centre, axes=box.axes),
        body=body,
        pedicles=MappingProxyType({s: pedicle(bone.mesh, box, s, bone.level) for s in Side}),
        confidence=confidence,
        cause=cause,
        warnings=tuple(_warnings(body, box)),
    )


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


def _warnings(body: Body, box: BodyBox) -> list[str]:
    """Name what a person should look at."""
    found = []
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
