"""Where a shaft begins and ends: at its neck, at its tip, or at the edge of the scan."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from geometry.mesh import TriangleMesh
from planner.anatomy.shaft import LIKE, Shaft
from planner.anatomy.slices import Slices, frame_along, part_of, slices

HEAD_AREA = 1.08  # times the shaft's area: where the head begins
FINE_MM = 0.05
CUT_OFF_CENTRE = 0.45  # radii that an end's centroids lie off the line: it was cut across obliquely
ROUGHNESS_SHARE = (
    0.35  # of its length, to either side of its middle, that tells a shaft's roughness
)
ROUGHNESS = 1.02  # times the radius it reaches: more is not the shaft
LASTING_MM = 2.5  # of one thickness, that are shaft and not a slot in a head
SHOULDER_MM = (0.6, 1.1)  # beyond a neck, where a shoulder has its whole width already
SHOULDER = (1.3, 1.1)  # times the shaft's radius, at least; and its own from one to the other
SMEARED_MM = 0.15  # from the foot of a sharp shoulder to its middle
NEAR_MM = 15.0  # of an end, where lines along the shaft are looked for


def turned(shaft: Shaft) -> Shaft:
    """Return the same shaft with its axis the other way."""
    cuts = shaft.cuts
    return replace(
        shaft,
        axis=-shaft.axis,
        low=-shaft.high,
        high=-shaft.low,
        cuts=replace(
            cuts,
            along=-cuts.along[::-1],
            areas=cuts.areas[::-1],
            mean_radii=cuts.mean_radii[::-1],
            reaches=cuts.reaches[::-1],
            centroids=cuts.centroids[::-1],
        ),
    )


def end(shaft: Shaft, mesh: TriangleMesh) -> tuple[float, tuple[float, str]]:
    """Return where the shaft ends upward along its axis, and how far that can be trusted.

    The end is the farthest vertex, or the mean of those as far as the scatter can tell. Where the
    centroids run off the line, a plane cut the shaft obliquely: its end is where half is left.
    """
    offset = mesh.vertices - shaft.origin
    height = offset @ shaft.axis
    aside = np.linalg.norm(offset - height[:, None] * shaft.axis, axis=1)
    top = float(height[(height > shaft.low) & (aside < 2.0 * shaft.crest_radius)].max())
    at = np.flatnonzero((height > top - 3.0 * shaft.scatter) & (aside < 2.0 * shaft.crest_radius))
    mean_top = float(height[at].mean())
    fine = _window(mesh, shaft, top - 3.0 * shaft.crest_radius, top)
    area = np.pi * shaft.core_radius**2
    less = np.flatnonzero(fine.areas > 0.5 * area)
    half = float(fine.along[less[-1]]) if len(less) else mean_top
    beyond = fine.along > half + 2.0 * FINE_MM
    if beyond.sum() >= 4:
        off = np.cross(fine.centroids[beyond] - shaft.origin, shaft.axis)
        drift = float(np.linalg.norm(off, axis=1).mean())
        if drift > CUT_OFF_CENTRE * shaft.core_radius:
            cause = "the shaft's end is cut across obliquely, as the edge of a scan does"
            return _exit(shaft, mesh, half), (0.4, cause)
    last = fine.areas[(fine.along > top - 0.5) & (fine.along < top - 0.2)]
    if len(last) and float(np.median(last)) > 0.8 * area:
        return mean_top, (0.8, "the shaft's end is flat at its full thickness: more may be missing")
    return mean_top, (1.0, "shaft and both ends are seen")


def _exit(shaft: Shaft, mesh: TriangleMesh, near: float) -> float:
    """Return where lines along the shaft leave the mesh near a height, in the mean, mm.

    They run in a ring about the axis, so that the slope of a plane end cancels.
    """
    corners = mesh.corners - shaft.origin
    height = corners @ shaft.axis
    corners, height = (a[np.abs(height.mean(axis=1) - near) < NEAR_MM] for a in (corners, height))
    flat = np.stack([corners @ a for a in frame_along(shaft.axis)], axis=2)
    turns = 2.0 * np.pi * np.arange(8) / 8
    ring = 0.75 * shaft.core_radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    exits = []
    for point in ring:
        a, b, c = np.moveaxis(flat - point, 1, 0)
        parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
        hit = (parts > 0.0).all(axis=1) | (parts < 0.0).all(axis=1)
        if hit.any():
            shares = parts[hit] / parts[hit].sum(axis=1, keepdims=True)
            exits.append(float((shares * height[hit]).sum(axis=1).max()))
    return float(np.mean(exits)) if exits else near


def _cross(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """Return the flat cross product."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _window(mesh: TriangleMesh, shaft: Shaft, low: float, high: float) -> Slices:
    """Cut finely across a shaft between two heights."""
    height = ((mesh.vertices - shaft.origin) @ shaft.axis)[mesh.faces]
    near = (height.max(axis=1) >= low) & (height.min(axis=1) <= high)
    cuts = slices(part_of(mesh, near), shaft.origin, shaft.axis, spacing_mm=FINE_MM)
    at = (cuts.along >= low) & (cuts.along <= high)
    return replace(
        cuts,
        along=cuts.along[at],
        areas=cuts.areas[at],
        mean_radii=cuts.mean_radii[at],
        reaches=cuts.reaches[at],
        centroids=cuts.centroids[at],
    )


def neck(shaft: Shaft, mesh: TriangleMesh) -> float:
    """Return where the section outgrows the shaft for good on the way to the head, mm.

    That is the outer end of the outermost stretch as thin as the shaft: what crosses a shaft
    further in is not its head. How thin that is allows for the roughness of the mesh.
    """
    cuts = shaft.cuts
    radii = np.sqrt(cuts.areas / np.pi)
    middle, length = 0.5 * (shaft.low + shaft.high), shaft.high - shaft.low
    inner = np.abs(cuts.along - middle) < ROUGHNESS_SHARE * length
    rough = float(np.quantile(radii[inner], 0.95)) if inner.any() else shaft.core_radius
    limit = max(np.sqrt(HEAD_AREA) * shaft.core_radius, ROUGHNESS * rough)
    thin = (radii < limit) & (cuts.mean_radii < LIKE[1] * shaft.core_radius)
    at = np.flatnonzero(thin & (cuts.along < middle))
    runs = np.split(at, np.flatnonzero(np.diff(at) > 2) + 1)
    lasting = [r for r in runs if len(r) and cuts.along[r[-1]] - cuts.along[r[0]] > LASTING_MM]
    first = lasting[0][0] if lasting else at[0] if len(at) else 0
    near = float(cuts.along[first])
    fine = _window(mesh, shaft, near - 1.0 - SHOULDER_MM[1], near + 0.1)
    close = fine.along >= near - 1.0
    over = fine.areas > np.pi * limit**2
    if not (over & close).any() or over[close].all():
        return near
    # on a rough mesh the section passes the limit more than once: the middle of it is taken
    foot = 0.5 * float(fine.along[over & close][-1] + fine.along[~over & close][0])
    return _unsmeared(fine, foot, shaft.core_radius)


def _unsmeared(fine: Slices, foot: float, thin: float) -> float:
    """Return the middle of a shoulder that the mesh's roughness has smeared, else its foot, mm.

    Args:
        fine: Sections about the neck; the head lies downward.
        foot: Where they begin to outgrow the shaft.
        thin: The shaft's radius.
    """
    radii = np.sqrt(fine.areas / np.pi)
    first, second = (radii[np.argmin(np.abs(fine.along - foot + step))] for step in SHOULDER_MM)
    if first < SHOULDER[0] * thin or second > SHOULDER[1] * first:
        return foot
    wide = fine.along[(radii > 0.5 * (thin + first)) & (fine.along < foot)]
    middle = float(wide[-1]) if len(wide) else foot
    return middle if foot - middle > SMEARED_MM else foot
