"""The level of a vertebra that carries no label, where its neighbours leave only one."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from planner.case import LEVELS, Case, Kind, Structure


def told_levels(case: Case) -> Mapping[str, str]:
    """Return the level of each unlabelled vertebra that lies in a row between labelled ones.

    A row of unlabelled vertebrae between two labelled bones is told if exactly so many levels lie
    between the labels. Rows at the ends of the case are not told: there may be one level more or
    fewer than usual.

    Args:
        case: Its vertebrae are ordered along the line that fits their middles best, cranial first.

    Returns:
        Levels by structure name.
    """
    row = _cranial_first(case.of_kind(Kind.VERTEBRA, Kind.SACRUM))
    labels = ["S1" if b.kind is Kind.SACRUM and b.level is None else b.level for b in row]
    known = [i for i, label in enumerate(labels) if label is not None]
    told: dict[str, str] = {}
    for above, below in pairwise(known):
        first, last = LEVELS.index(labels[above] or ""), LEVELS.index(labels[below] or "")
        between = [level for level in LEVELS[first + 1 : last] if level != "L6"]
        names = [bone.name for bone in row[above + 1 : below]]
        if len(names) == len(between):
            told.update(zip(names, between, strict=True))
    return told


def _cranial_first(bones: tuple[Structure, ...]) -> list[Structure]:
    """Order bones along the spine."""
    if len(bones) < 2:
        return list(bones)
    middles = np.array([bone.mesh.vertices.mean(axis=0) for bone in bones])
    along = np.linalg.svd(middles - middles.mean(axis=0), full_matrices=False)[2][0]
    along = along * (1.0 if along[2] >= 0.0 else -1.0)
    return [bones[i] for i in np.argsort(-(middles @ along), kind="stable")]
