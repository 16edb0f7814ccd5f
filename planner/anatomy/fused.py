"""Vertebrae that are one mesh, taken apart where the least bone joins them.

Between two vertebrae bone is thin: a bridge across the disc, and the facet joints. The cut of the
least area between two bodies runs there as long as the bridges are thinner than pedicles and
laminae. How far that can be trusted falls with the area of the cut; where one part got much more
bone behind its body than the other, a lamina may have gone with the wrong one.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from geometry.arrays import unit
from geometry.mesh import TriangleMesh
from planner.anatomy.least_cut import LeastCut, Seed, least_cut
from planner.anatomy.midsection import Midsection, midsection
from planner.anatomy.model import Unavailable, VertebraAnatomy
from planner.anatomy.solid import BY_FACES, calmed, outer_solid
from planner.anatomy.solid_grid import solid_grid
from planner.anatomy.symmetry import mirror_plane
from planner.anatomy.vertebra import FUSED, found_body, usual_height, vertebra_anatomy
from planner.case import Derivation, Structure

BODY_LIKE = 0.6  # of radius and width of the midsection's largest piece: another body
SEED = np.array([0.6, 0.6, 0.45])  # of a body's half extents, that surely belong to it
ARCH_SPACING_MM = 1.5
UNLIKE = 2.0  # times as much bone behind one body as behind the next
SURE = 0.8  # confidence in parts that hardly touch
DOUBTFUL = 0.4  # and in parts whose arches are unlike
LEAST = 0.5  # confidence below which parts are not handed out


def taken_apart(bone: Structure, levels: tuple[str, ...]) -> tuple[Structure, ...] | Unavailable:
    """Return the vertebrae of one mesh as structures of their own, cranial first.

    Args:
        bone: Two or more vertebrae in one closed mesh, patient LPS, mm.
        levels: Their levels, cranial first.

    Returns:
        Parts that together are the mesh, with the confidence in their borders; or why not.
    """
    parts, largest_mm2 = [bone.mesh], 0.0
    while len(parts) < len(levels):
        fused = next((mesh for mesh in parts if _is_fused(bone, mesh)), None)
        if fused is None:
            return Unavailable(reason=f"{len(parts)} bodies are told apart, not {len(levels)}")
        cut = _cut(fused)
        if isinstance(cut, Unavailable):
            return cut
        parts = [m for m in parts if m is not fused] + [cut.first, cut.second]
        largest_mm2 = max(largest_mm2, cut.area_mm2)
    read: list[tuple[TriangleMesh, VertebraAnatomy]] = []
    for mesh in parts:
        found = vertebra_anatomy(replace(bone, mesh=mesh, level=None))
        if isinstance(found, Unavailable):
            return Unavailable(reason=f"one of its parts could not be read: {found.reason}")
        read.append((mesh, found))
    return _named(bone, read, levels, largest_mm2)


def _is_fused(bone: Structure, mesh: TriangleMesh) -> bool:
    found = vertebra_anatomy(replace(bone, mesh=mesh, level=None))
    return isinstance(found, Unavailable) and found.reason == FUSED


def _cut(mesh: TriangleMesh) -> LeastCut | Unavailable:
    """Cut one mesh between two of its bodies."""
    calm = calmed(outer_solid(mesh), BY_FACES)
    middle = midsection(calm, mirror_plane(calm))
    seeds = _apart(middle) or _along(calm)
    if isinstance(seeds, Unavailable):
        return seeds
    return least_cut(mesh, *seeds)


def _apart(middle: Midsection) -> tuple[Seed, Seed] | None:
    """Return seeds in two bodies that do not touch in the midline, if that shows two."""
    largest = int(np.argmax(middle.sizes))
    shares = (m / m[largest] for m in (middle.radii_mm, middle.widths_mm))
    bodies = np.flatnonzero(np.minimum(*shares) > BODY_LIKE)
    if len(bodies) < 2:
        return None
    centres = middle.centres_mm[bodies]
    along = unit(centres[1] - centres[0])
    axes = np.stack([middle.left, np.cross(along, middle.left), along])
    halves = [
        0.5 * SEED * np.array([middle.widths_mm[i], *[2.0 * middle.radii_mm[i]] * 2])
        for i in bodies[:2]
    ]
    first, second = (
        Seed(centre=c, axes=axes, half=h) for c, h in zip(centres[:2], halves, strict=True)
    )
    return first, second


def _along(mesh: TriangleMesh) -> tuple[Seed, Seed] | Unavailable:
    """Return seeds at both ends of a body that is as tall as two, as one bridged across is."""
    found = found_body(mesh)
    if isinstance(found, Unavailable):
        return found
    height = usual_height(found)
    off = (found.half[2] - 0.5 * height) * found.axes[2]
    half = SEED * np.array([found.half[0], found.half[1], 0.5 * height])
    first, second = (
        Seed(centre=found.centre + sign * off, axes=found.axes, half=half) for sign in (1.0, -1.0)
    )
    return first, second


def _named(
    bone: Structure,
    read: list[tuple[TriangleMesh, VertebraAnatomy]],
    levels: tuple[str, ...],
    cut_mm2: float,
) -> tuple[Structure, ...] | Unavailable:
    """Return the parts under their levels, or why they are not safe to use."""
    up = read[0][1].frame.rotation[2]
    ordered = sorted(read, key=lambda one: -float(_middle(one[1]) @ up))
    confidence, cause = _trust(ordered, cut_mm2)
    if confidence < LEAST:
        return Unavailable(reason=f"its vertebrae cannot be told apart safely: {cause}")
    return tuple(
        replace(
            bone, name=f"{bone.name}_{level}", mesh=mesh, level=level, problems=(),
            derived=Derivation(confidence=confidence, cause=f"part of {bone.name}: {cause}"),
        )
        for (mesh, _), level in zip(ordered, levels, strict=True)
    )  # fmt: skip


def _middle(found: VertebraAnatomy) -> np.ndarray:
    return found.frame.inverse().translation_mm


def _trust(read: list[tuple[TriangleMesh, VertebraAnatomy]], cut_mm2: float) -> tuple[float, str]:
    """Say how far the borders between the parts can be trusted, and why not farther."""
    share = cut_mm2 / min(found.body.outline.area for _, found in read)
    said = f"cut through {cut_mm2:.0f} mm2 of bone, {share:.0%} of the section of a body"
    if share > 1.0 - LEAST:
        return 1.0 - share, said
    for above, below in pairwise([_arch_mm3(mesh, found) for mesh, found in read]):
        ratio = max(above, below) / max(min(above, below), 1.0)
        if ratio > UNLIKE:
            return DOUBTFUL, f"one part has {ratio:.1f} times as much bone behind its body"
    return round(min(SURE, 1.0 - share), 2), said


def _arch_mm3(mesh: TriangleMesh, found: VertebraAnatomy) -> float:
    """Return how much bone a part has behind its body, mm3."""
    grid = solid_grid(mesh, spacing_mm=ARCH_SPACING_MM)
    cells = grid.origin_mm + grid.spacing_mm * np.argwhere(grid.depth_mm > 0.0)
    behind = found.frame.points(cells)[:, 1] > 0.5 * found.body.depth_mm
    return float(behind.sum()) * grid.spacing_mm**3
