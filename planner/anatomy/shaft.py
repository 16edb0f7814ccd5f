"""The straight, round or threaded part of a screw: its line, its thickness and where it ends.

A thread is a radius that depends on one phase only, turns along less turns around. Folding the
surface by it averages noise away, so the line, the crest and the scatter come from one fit.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from geometry.arrays import Point, Vector, unit
from geometry.mesh import TriangleMesh
from planner.anatomy.body import surface_of
from planner.anatomy.model import Unavailable
from planner.anatomy.slices import Slices, frame_along, slices

SPACING_MM = 0.6  # of sections; four to a turn of thread
STEPS = 4
LEAST_SECTIONS = 10
ALIKE = 0.12  # relative difference of radius within which sections belong to one shaft
LIKE = (0.75, 1.3)  # radii, of the commonest, that still belong to the shaft
LARGEST_RADIUS_MM = 5.75  # of a shaft (DOMAIN 3.5); what is thicker is a head's
BRIDGED_MM = 2.5  # sections of another size shorter than this do not end a shaft
LEAST_VERTICES = 60  # to fold the surface; below, the reach of the sections is taken
MOST_VERTICES = 2000
PITCH_MM = (1.2, 5.5)  # from one crest to the next
STARTS = (0, 1, 2)  # threads side by side; 0 for rings
THREADED = 0.25  # share of the radius' variance that one wave must explain
PHASES = 32
FOLDS = 4
CREST = 0.9  # quantile of reaches taken as the crest where nothing can be folded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shaft:
    """A shaft in the frame of its mesh, mm.

    Attributes:
        origin: A point of its line.
        axis: Its unit direction, either way.
        low: Where the stretch of one thickness begins, along the axis from ``origin``.
        high: Where it ends.
        core_radius: Radius of the circle with the area of its commonest section.
        crest_radius: Outer radius, of the thread's crest if there is one.
        scatter: Standard deviation (robust) of the surface about the shape that was found.
        cuts: Sections over the whole length of the mesh.
    """

    origin: Point
    axis: Vector
    low: float
    high: float
    core_radius: float
    crest_radius: float
    scatter: float
    cuts: Slices

    @property
    def within(self) -> Bool[np.ndarray, " k"]:
        """Which of the sections belong to the shaft."""
        return (self.cuts.along >= self.low) & (self.cuts.along <= self.high)


def long_axis(mesh: TriangleMesh) -> tuple[Point, Vector, float]:
    """Return the centre of a surface, its longest direction, and its length over its thickness."""
    surface = surface_of(mesh)
    weights = np.linalg.norm(surface.areas, axis=1)
    centre = weights @ surface.points / weights.sum()
    offset = surface.points - centre
    spread, axes = np.linalg.eigh((offset * weights[:, None]).T @ offset)
    return centre, axes[:, 2], float(np.sqrt(spread[2] / max(float(spread[1]), 1e-12)))


def fitted_shaft(mesh: TriangleMesh, origin: Point, axis: Vector) -> Shaft | Unavailable:
    """Fit the line about which most of a mesh is a bar of one thickness.

    Args:
        mesh: Closed, wound outward.
        origin: A point near the line.
        axis: About its direction, unit.
    """
    cuts = slices(mesh, origin, axis, spacing_mm=SPACING_MM)
    for _ in range(STEPS):
        if len(cuts.along) < LEAST_SECTIONS:
            return Unavailable(reason="the mesh is too short or broken to cut across its axis")
        origin, axis = _line(cuts, alike(np.sqrt(cuts.areas / np.pi)))
        cuts = slices(mesh, origin, axis, spacing_mm=SPACING_MM)
    if len(cuts.along) < LEAST_SECTIONS:
        return Unavailable(reason="the mesh is too short or broken to cut across its axis")
    radius, low, high = _stretch(cuts)
    folded = _folded(mesh, origin, axis, (radius, low, high))
    if folded is None:
        shaft = (cuts.along >= low) & (cuts.along <= high)
        crest = float(np.quantile(cuts.reaches[shaft], CREST)) if shaft.any() else radius
        scatter = float(np.std(cuts.areas[shaft]) / (2.0 * np.pi * radius)) if shaft.any() else 0.0
    else:
        origin, axis, crest, scatter = folded
        cuts = slices(mesh, origin, axis, spacing_mm=SPACING_MM)
        radius, low, high = _stretch(cuts)
    return Shaft(
        origin=origin, axis=axis, low=low, high=high, core_radius=radius,
        crest_radius=crest, scatter=scatter, cuts=cuts,
    )  # fmt: skip


def alike(radii: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Weigh sections by how near they are to the commonest radius, which is the shaft's."""
    logs = np.log(np.maximum(radii, 1e-6))
    density = np.exp(-0.5 * ((logs[:, None] - logs) / ALIKE) ** 2).sum(axis=1)
    density *= (radii < LARGEST_RADIUS_MM) | (radii.min() >= LARGEST_RADIUS_MM)
    mode = logs[int(np.argmax(density))]
    for _ in range(30):
        near = np.exp(-0.5 * ((logs - mode) / ALIKE) ** 2)
        mode = near @ logs / near.sum()
    return np.exp(-0.5 * ((logs - mode) / ALIKE) ** 2)


def _line(cuts: Slices, weights: Float[np.ndarray, " k"]) -> tuple[Point, Vector]:
    """Fit a line through centroids; a window without corners keeps the thread from tilting it."""
    middle = weights @ cuts.along / weights.sum()
    sigma = np.sqrt(weights @ (cuts.along - middle) ** 2 / weights.sum())
    window = np.maximum(0.0, 1.0 - ((cuts.along - middle) / (1.9 * sigma)) ** 2) ** 2
    weights = weights * window / (weights @ window)
    at = weights @ cuts.along
    centre = weights @ cuts.centroids
    offset = cuts.along - at
    return centre, unit((weights * offset) @ (cuts.centroids - centre))


def _stretch(cuts: Slices) -> tuple[float, float, float]:
    """Return the commonest radius and the longest stretch of about that radius."""
    radii = np.sqrt(cuts.areas / np.pi)
    weights = alike(radii)
    radius = float(weights @ radii / weights.sum())
    like = (radii > LIKE[0] * radius) & (cuts.mean_radii < LIKE[1] * radius)
    at = np.flatnonzero(like)
    runs = np.split(at, np.flatnonzero(np.diff(cuts.along[at]) > BRIDGED_MM) + 1)
    run = max(runs, key=len)
    if len(run) == 0:
        return radius, 0.0, 0.0
    return radius, float(cuts.along[run[0]]), float(cuts.along[run[-1]])


def _folded(
    mesh: TriangleMesh, origin: Point, axis: Vector, stretch: tuple[float, float, float]
) -> tuple[Point, Vector, float, float] | None:
    """Refine a line by the vertices about it; return it with the crest's radius and the scatter."""
    radius, low, high = stretch
    crest, scatter = radius, 0.0
    for _ in range(FOLDS):
        first, second = frame_along(axis)
        offset = mesh.vertices - origin
        along = offset @ axis
        flat = np.stack([offset @ first, offset @ second], axis=1)
        r = np.linalg.norm(flat, axis=1)
        inner = np.minimum(1.0, 0.1 * (high - low))
        on = (along > low + inner) & (along < high - inner)
        at = np.flatnonzero(on & (r > 0.5 * radius) & (r < 1.6 * radius))
        if len(at) < LEAST_VERTICES:
            return None
        at = at[:: 1 + len(at) // MOST_VERTICES]
        middle = 0.5 * (low + high)
        z, r, angle = along[at] - middle, r[at], np.arctan2(flat[at, 1], flat[at, 0])
        bins = _phases(z, angle, r)
        values, crest, scatter = _fit(z, angle, r, bins)
        shift, tilt = values[:2], values[2:]
        origin = origin + middle * axis + shift[0] * first + shift[1] * second
        axis = unit(axis + tilt[0] * first + tilt[1] * second)
        origin = origin - middle * axis
    return origin, axis, crest, scatter


def _phases(
    z: Float[np.ndarray, " n"], angle: Float[np.ndarray, " n"], r: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """Return each vertex's bin of phase along the thread, all one bin where there is no thread."""
    wave = r - np.polynomial.Polynomial.fit(z, r, 1)(z)
    total = float(wave @ wave)
    spread = float(z.max() - z.min())
    count = int(np.ceil(4.0 * spread * (1.0 / PITCH_MM[0] - 1.0 / PITCH_MM[1])))
    numbers = 2.0 * np.pi * np.linspace(1.0 / PITCH_MM[1], 1.0 / PITCH_MM[0], max(count, 2))
    turned = np.stack([wave * np.exp(-1j * s * angle) for s in STARTS])
    best, chosen = 0.0, (0.0, 0)
    for number, rows in zip(numbers, _advanced(turned, z, numbers), strict=True):
        power = np.abs(rows) ** 2
        if power.max() > best:
            best, chosen = float(power.max()), (float(number), STARTS[int(power.argmax())])
    if 2.0 * best < THREADED * len(z) * total:
        return np.zeros(len(z), dtype=np.int64)
    number, starts = _sharpened(z, angle, wave, chosen, numbers[1] - numbers[0])
    turns = (number * z - starts * angle) / (2.0 * np.pi)
    return np.floor((turns % 1.0) * PHASES).astype(np.int64) % PHASES


def _advanced(
    turned: Complex[np.ndarray, "s n"], z: Float[np.ndarray, " n"], numbers: Float[np.ndarray, " m"]
) -> Complex[np.ndarray, "m s"]:
    """Return the sums of waves with every wave number, each by one product from the last."""
    wave = np.exp(1j * numbers[0] * z)
    step = np.exp(1j * (numbers[1] - numbers[0]) * z)
    sums = np.empty((len(numbers), len(turned)), dtype=np.complex128)
    for i in range(len(numbers)):
        sums[i] = turned @ wave
        wave = wave * step
    return sums


def _sharpened(
    z: Float[np.ndarray, " n"],
    angle: Float[np.ndarray, " n"],
    wave: Float[np.ndarray, " n"],
    chosen: tuple[float, int],
    step: float,
) -> tuple[float, int]:
    """Return the wave number of most power near the chosen one."""
    number, starts = chosen
    turned = (wave * np.exp(-1j * starts * angle))[None]
    for width in (step, 0.2 * step):
        near = number + np.linspace(-width, width, 11)
        number = float(near[int(np.argmax(np.abs(_advanced(turned, z, near)[:, 0])))])
    return number, starts


def _fit(
    z: Float[np.ndarray, " n"],
    angle: Float[np.ndarray, " n"],
    r: Float[np.ndarray, " n"],
    bins: Int[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "4"], float, float]:
    """Fit radius = profile(bin) + taper z + offset and tilt of the line.

    Returns:
        Offset (2) and tilt (2) of the line, the crest's radius, and the scatter.
    """
    used, place = np.unique(bins, return_inverse=True)
    half = max(float(np.abs(z).max()), 1e-6)
    cos, sin = np.cos(angle), np.sin(angle)
    design = np.zeros((len(z), len(used) + 5))
    design[np.arange(len(z)), place] = 1.0
    design[:, -5:] = np.stack([z / half, cos, sin, z * cos / half, z * sin / half], axis=1)
    weights = np.ones(len(z))
    values, scatter = np.zeros(design.shape[1]), 0.0
    for _ in range(4):
        weighted = design * weights[:, None]
        normal = weighted.T @ design + 1e-9 * len(z) * np.eye(design.shape[1])
        values = np.linalg.solve(normal, weighted.T @ r)
        residual = r - design @ values
        scatter = 1.4826 * float(np.median(np.abs(residual)))
        weights = 1.0 / (1.0 + (residual / max(2.0 * scatter, 1e-3)) ** 2)
    crest = float(values[: len(used)].max() + abs(values[-5]))
    if len(used) == 1 and scatter > 0.06 * crest:  # rough, or a thread of changing pitch
        crest = float(np.quantile(r, CREST))
    return np.concatenate([values[-4:-2], values[-2:] / half]), crest, scatter
