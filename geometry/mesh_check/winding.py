"""Turning faces so that neighbours agree and closed parts face outward."""

import numpy as np
from jaxtyping import Bool, Float, Int

from geometry.arrays import Faces, Point, Points
from geometry.mesh import Problem, Severity
from geometry.mesh_check.cleaning import Surface, areas, repaired
from geometry.mesh_check.edges import Edges, joined

# Containment of parts in one another is tested up to this many point-triangle pairs.
_MAX_CONTAINMENT_WORK = 20_000_000


def consistently_wound(surface: Surface) -> Surface:
    """Turn the minority of faces (by area) in every part where neighbours disagree."""
    edges = surface.edges
    first, second, agree = edges.pairs()
    if agree.all():
        return surface
    count = len(surface.faces)
    # Two copies of every face, as it is and turned; joined copies can stand together.
    other = np.where(agree, second, second + count)
    mirror = np.where(agree, second + count, second)
    sheet = joined(
        np.concatenate([first, first + count]), np.concatenate([other, mirror]), 2 * count
    )
    stuck = sheet[:count] == sheet[count:]
    patch = np.minimum(sheet[:count], sheet[count:])
    turned = (sheet[:count] != patch) & ~stuck
    area = areas(surface)
    size = int(patch.max()) + 1
    against = np.bincount(patch, weights=area * turned, minlength=size)
    total = np.bincount(patch, weights=area, minlength=size)
    # More than half by a margin, so that rounding does not choose between equal halves.
    turned ^= (against > total * (0.5 + 1e-9))[patch] & ~stuck
    problems = []
    if turned.any():
        number = int(turned.sum())
        message = f"{number} faces were turned to agree with their neighbours"
        problems.append(repaired("inconsistent-winding", number, message))
    if stuck.any():
        number = int(stuck.sum())
        message = f"{number} faces form a surface with only one side; it has no inside"
        problems.append(
            Problem(code="one-sided", severity=Severity.WARNING, message=message, count=number)
        )
    return surface.with_faces(_turned(surface.faces, turned), *problems)


def outward(surface: Surface) -> Surface:
    """Turn closed parts that are inside out; parts within another (cavities) turn with it."""
    edges = surface.edges
    first, second, _ = edges.pairs()
    part = joined(first, second, len(surface.faces))
    closed = _closed_parts(edges, part)
    volume = _volumes(surface, part)
    outer = _outermost(surface, part, closed, volume)
    # Flat parts have neither in nor out; rounding must not decide for them.
    flat = np.abs(volume) <= 1e-9 * np.bincount(part, weights=areas(surface)) ** 1.5
    wrong = closed & (volume[outer] < 0.0) & ~flat[outer]
    if not wrong.any():
        return surface
    turned = wrong[part]
    message = f"{int(wrong.sum())} closed parts were inside out and were turned"
    problem = repaired("inside-out", int(turned.sum()), message)
    return surface.with_faces(_turned(surface.faces, turned), problem)


def winding_number(point: Point, corners: Float[np.ndarray, "m 3 3"]) -> float:
    """Return how often triangles go round a point: 1 inside, 0 outside a closed outward surface.

    Solid angles by van Oosterom and Strackee (1983).
    """
    a, b, c = np.moveaxis(corners - point, 1, 0)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    triple = np.einsum("ij,ij->i", a, np.cross(b, c))
    dots = [np.einsum("ij,ij->i", u, v) for u, v in ((a, b), (b, c), (c, a))]
    below = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
    return float(np.arctan2(triple, below).sum() / (2.0 * np.pi))


def _turned(faces: Faces, which: Bool[np.ndarray, " m"]) -> Faces:
    result = faces.copy()
    result[which] = result[which][:, ::-1]
    return result


def _closed_parts(edges: Edges, part: Int[np.ndarray, " m"]) -> Bool[np.ndarray, " k"]:
    """Tell which parts are passed as often one way as the other along each of their edges."""
    owner = np.repeat(part, 3)
    key = owner * len(edges.uses) + edges.number
    found, inverse = np.unique(key, return_inverse=True)
    ways = np.bincount(inverse, weights=np.where(edges.start < edges.end, 1.0, -1.0))
    closed = np.ones(int(part.max()) + 1, dtype=bool)
    closed[(found // len(edges.uses))[ways != 0.0]] = False
    return closed


def _volumes(surface: Surface, part: Int[np.ndarray, " m"]) -> Float[np.ndarray, " k"]:
    centre = surface.vertices.mean(axis=0)
    a, b, c = np.moveaxis(surface.vertices[surface.faces] - centre, 1, 0)
    return np.bincount(part, weights=np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0)


def _outermost(
    surface: Surface,
    part: Int[np.ndarray, " m"],
    closed: Bool[np.ndarray, " k"],
    volume: Float[np.ndarray, " k"],
) -> Int[np.ndarray, " k"]:
    """Return, for every part, the largest closed part around it, or itself."""
    outer = np.arange(len(closed))
    if closed.sum() < 2:
        return outer
    low, high, point, sizes = _boxes(surface, part)
    order = np.argsort(-np.abs(volume) * closed, kind="stable")
    work = 0
    for around in order[: int(closed.sum())]:
        if outer[around] != around:
            continue
        within = closed & (low > low[around]).all(axis=1) & (high < high[around]).all(axis=1)
        inner = np.flatnonzero(within & (outer == np.arange(len(outer))))
        work += len(inner) * int(sizes[around])
        if work > _MAX_CONTAINMENT_WORK:
            # Too many to test: a part in the box of another is taken to lie within it, and its
            # winding is left as it was given.
            outer[inner] = around
            continue
        corners = surface.vertices[surface.faces[part == around]]
        for candidate in inner:
            if abs(winding_number(point[candidate], corners)) > 0.5:
                outer[candidate] = around
    return outer


def _boxes(
    surface: Surface, part: Int[np.ndarray, " m"]
) -> tuple[Points, Points, Points, Int[np.ndarray, " k"]]:
    """Return each part's lowest and highest corner, one of its vertices, and its face count."""
    order = np.argsort(part, kind="stable")
    sizes = np.bincount(part)
    starts = np.cumsum(sizes) - sizes
    corners = surface.vertices[surface.faces[order]]
    low = np.minimum.reduceat(corners.min(axis=1), starts)
    high = np.maximum.reduceat(corners.max(axis=1), starts)
    return low, high, corners[starts, 0], sizes
