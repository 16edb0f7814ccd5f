"""Small holes are closed with triangles between the vertices around them; large ones stay."""

import numpy as np
from jaxtyping import Float, Int

from geometry.mesh_check.cleaning import Surface, areas, repaired
from geometry.mesh_check.edges import joined

# A hole is filled when it has at most so many edges and is at most so long around:
# about 3 mm across, less than any opening of a vertebra that matters to a needle.
MAX_EDGES = 12
MAX_PERIMETER_MM = 10.0
# ... and when it is small beside the part it is in: the rim of a lone patch is no hole.
MAX_SHARE = 0.25
FEWEST_FACES = 4


def filled(surface: Surface) -> Surface:
    """Close every small hole whose rim passes each of its vertices once."""
    edges = surface.edges
    rim = np.flatnonzero(edges.open)
    if len(rim) == 0:
        return surface
    existing = set(zip(edges.start.tolist(), edges.end.tolist(), strict=True))
    added: list[tuple[int, int, int]] = []
    count = 0
    part = joined(edges.start, edges.end, len(surface.vertices))
    part_of_face = part[surface.faces[:, 0]]
    part_area = np.bincount(part_of_face, weights=areas(surface), minlength=int(part.max()) + 1)
    # A part of few faces cannot be large beside a hole in it.
    rim = rim[np.bincount(part_of_face)[part[edges.start[rim]]] >= FEWEST_FACES]
    # Faces on the rim run start -> end, so the faces that close the hole run end -> start.
    for loop in _small_loops(surface, edges.end[rim], edges.start[rim]):
        triangles, area = _triangulation(surface.vertices[loop])
        new = [(loop[a], loop[b], loop[c]) for a, b, c in triangles]
        inner = _inner_edges(new)
        if area > MAX_SHARE * part_area[part[loop[0]]]:
            continue
        if any(edge in existing or edge[::-1] in existing for edge in inner):
            continue
        existing.update(e for a, b, c in new for e in ((a, b), (b, c), (c, a)))
        added += new
        count += 1
    if not added:
        return surface
    faces = np.concatenate([surface.faces, np.array(added, dtype=np.int64)])
    message = (
        f"{count} holes of at most {MAX_EDGES} edges and {MAX_PERIMETER_MM:g} mm around were "
        f"closed with {len(added)} triangles"
    )
    return surface.with_faces(faces, repaired("small-holes", count, message))


def _small_loops(
    surface: Surface, start: Int[np.ndarray, " h"], end: Int[np.ndarray, " h"]
) -> list[list[int]]:
    """Return the rims that are small and simple, as vertex numbers in order."""
    size = len(surface.vertices)
    lengths = np.linalg.norm(surface.vertices[end] - surface.vertices[start], axis=1)
    label = joined(start, end, size)
    edges = np.bincount(label[start], minlength=size)
    perimeter = np.bincount(label[start], weights=lengths, minlength=size)
    simple = np.ones(size, dtype=bool)
    for side in (start, end):
        simple[label[np.flatnonzero(np.bincount(side, minlength=size) > 1)]] = False
    small = (edges <= MAX_EDGES) & (perimeter <= MAX_PERIMETER_MM) & simple
    chosen = small[label[start]]
    following = dict(zip(start[chosen].tolist(), end[chosen].tolist(), strict=True))
    loops: list[list[int]] = []
    for first in list(following):
        loop: list[int] = []
        at = first
        while at in following:
            loop.append(at)
            at = following.pop(at)
        if len(loop) >= 3 and at == first:
            loops.append(loop)
    return loops


def _inner_edges(triangles: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
    sides = {e for a, b, c in triangles for e in ((a, b), (b, c), (c, a))}
    return {side for side in sides if side[::-1] in sides}


def _triangulation(
    points: Float[np.ndarray, "k 3"],
) -> tuple[list[tuple[int, int, int]], float]:
    """Return the triangulation of a closed polygon that has the least area, and that area."""
    count = len(points)
    cost = {(i, i + 1): 0.0 for i in range(count - 1)}
    middle: dict[tuple[int, int], int] = {}
    for width in range(2, count):
        for i in range(count - width):
            k = i + width
            options = {
                j: cost[i, j] + cost[j, k] + _area(points[i], points[j], points[k])
                for j in range(i + 1, k)
            }
            # The first among equals, so that rounding does not choose between them.
            least = min(options.values()) * (1.0 + 1e-9)
            middle[i, k] = next(j for j in options if options[j] <= least)
            cost[i, k] = options[middle[i, k]]
    triangles, open_spans = [], [(0, count - 1)]
    while open_spans:
        i, k = open_spans.pop()
        if k - i >= 2:
            j = middle[i, k]
            triangles.append((i, j, k))
            open_spans += [(i, j), (j, k)]
    return triangles, cost[0, count - 1]


def _area(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float(np.linalg.norm(np.cross(b - a, c - a))) / 2.0
