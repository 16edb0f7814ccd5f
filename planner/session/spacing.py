"""Whether needles of one session collide: their shafts, in and outside the body, and their hubs."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

import numpy as np

from geometry.arrays import Points
from geometry.segments import polylines_apart
from planner.needles.model import Needle
from planner.needles.path import ARC_SAGITTA_MM, Path, path_chords, path_length_mm

HUB_DIAMETER_MM = 20.0  # of the capsule that stands for a hub or handle [A]
HUB_LENGTH_MM = 40.0  # of that capsule, end to end [A]
GAP_MM = 1.0  # that two needles keep between their surfaces [A]


class Part(StrEnum):
    """A part of a needle."""

    SHAFT = "shaft"
    HUB = "hub"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bar:
    """A round bar with rounded ends about a polyline, patient LPS, mm."""

    part: Part
    points_mm: Points
    radius_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """How near two needles come, surface to surface, and by which parts."""

    distance_mm: float
    first: Part
    second: Part


def bars(needle: Needle, path: Path) -> tuple[Bar, ...]:
    """Return what a needle takes up while it lies at the end of its path, hub and all.

    Outside the body the shaft runs straight back from the entry, so far as the product is long;
    an inner needle of a curved set lies within its cannula there.
    """
    back = path[0].chords()[0] - path[0].chords()[1]
    back = back / np.linalg.norm(back)
    straight = path[0].length_mm if needle.curved is not None else path_length_mm(path)
    entry = path[0].start_mm
    top = entry + max(needle.length_mm - straight, 0.0) * back
    radius = 0.5 * HUB_DIAMETER_MM
    hub = np.stack([top + radius * back, top + (HUB_LENGTH_MM - radius) * back])
    inside = path_chords(path)
    shaft = np.concatenate([top[None], inside]) if needle.length_mm > straight else inside
    return (
        Bar(part=Part.SHAFT, points_mm=shaft, radius_mm=needle.radius_mm),
        Bar(part=Part.HUB, points_mm=hub, radius_mm=radius),
    )


def nearness(first: tuple[Bar, ...], second: tuple[Bar, ...]) -> Nearness:
    """Return how near two needles come; exact but for the chords of arcs, which only add."""
    found = (
        Nearness(
            distance_mm=polylines_apart(a.points_mm, b.points_mm) - a.radius_mm - b.radius_mm
            - 2.0 * ARC_SAGITTA_MM,
            first=a.part, second=b.part,
        )
        for a, b in product(first, second)
    )  # fmt: skip
    return min(found, key=lambda near: near.distance_mm)


def collide(first: tuple[Bar, ...], second: tuple[Bar, ...]) -> bool:
    """Whether two needles come nearer than their gap."""
    return nearness(first, second).distance_mm < GAP_MM
