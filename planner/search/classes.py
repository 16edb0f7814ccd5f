"""The classes of one question (approach x side x needle) and their searches.

The slack of a line does not depend on the needle; only the windows at the pedicle's wall and the
usable length do. Straight needles that share both share one search; curved ones start from what
the straight ones of their way found.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from planner.approach import Gate
from planner.needles.model import Needle
from planner.search.along_screw import AlongFamily, contact_of, scene_at, search_along
from planner.search.branch_and_bound import SearchResult, climbed, search_family
from planner.search.curved import (
    TOLERANCE_MM,
    CurvedFamily,
    CurvedResult,
    curved_family,
    search_curved,
)
from planner.search.family import LineFamily, Numbers, line_family
from planner.search.scene import Scene
from planner.target import TargetRegion

THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassSearch:
    """One searched class.

    Attributes:
        gate: Its gate.
        needle: Its needle.
        family: Its paths; None where the gate's window is empty.
        result: What was found and proved; None where the gate's window is empty.
    """

    gate: Gate
    needle: Needle
    family: LineFamily | CurvedFamily | AlongFamily | None
    result: SearchResult | CurvedResult | None

    @property
    def in_proofs(self) -> bool:
        """Whether proofs can hold it: they know straight lines and empty windows."""
        return self.needle.curved is None and self.gate.contact is None

    @property
    def straight(self) -> tuple[LineFamily, SearchResult] | None:
        """Lines and result of a straight needle's class that has any; None for another."""
        if isinstance(self.family, LineFamily) and isinstance(self.result, SearchResult):
            return self.family, self.result
        return None


def search_classes(
    gates: Sequence[tuple[Gate, Needle]],
    scene: Scene,
    target: TargetRegion,
    tolerance_mm: float,
    progress: Callable[[float], None],
) -> tuple[ClassSearch, ...]:
    """Search every class, thickest needles first so that thinner ones start from their paths.

    Args:
        gates: The gate of every class, with its needle.
        scene: Obstacles and skin.
        target: Where to end.
        tolerance_mm: Gap at which a search may stop.
        progress: Told the share of ways done, 0 to 1.

    Returns:
        One search per class, in the order of ``gates``.
    """
    ways: dict[tuple[str, str], list[int]] = {}
    for i, (gate, _) in enumerate(gates):
        ways.setdefault((gate.approach, gate.side), []).append(i)
    found: dict[int, ClassSearch] = {}

    def one_way(members: list[int]) -> dict[int, ClassSearch]:
        way = [(i, *gates[i]) for i in members]
        if way[0][1].contact is not None:
            return _search_along(way, scene, target)
        return _search_way(way, scene, target, tolerance_mm)

    with ThreadPoolExecutor(THREADS) as pool:
        for done, searched in enumerate(pool.map(one_way, ways.values()), start=1):
            found.update(searched)
            progress(done / len(ways))
    return tuple(found[i] for i in range(len(gates)))


def _search_along(
    members: list[tuple[int, Gate, Needle]], scene: Scene, target: TargetRegion
) -> dict[int, ClassSearch]:
    """Search the classes along one screw, all in the space in which it may be touched."""
    touching = scene_at(scene, contact_of(members[0][1]))
    found = {}
    for i, gate, needle in members:
        one = search_along(gate, touching, target, needle)
        found[i] = ClassSearch(gate=gate, needle=needle, family=one.family, result=one.result)
    return found


def _search_way(
    members: list[tuple[int, Gate, Needle]],
    scene: Scene,
    target: TargetRegion,
    tolerance_mm: float,
) -> dict[int, ClassSearch]:
    """Search the classes of one approach on one side."""
    thick_first = sorted(members, key=lambda m: (-m[2].radius_mm, m[2].usable_length_mm, m[0]))
    shared: dict[tuple[bytes, float], tuple[LineFamily, SearchResult]] = {}
    hints: tuple[Numbers, ...] = ()
    found: dict[int, ClassSearch] = {}
    for i, gate, needle in thick_first:
        if gate.window.is_empty:
            found[i] = ClassSearch(gate=gate, needle=needle, family=None, result=None)
            continue
        if needle.curved is not None:
            continue
        key = _key(gate, needle)
        if key not in shared:
            family = line_family(gate, scene, target, needle.usable_length_mm)
            sharing = [m[2].radius_mm for m in members if _key(m[1], m[2]) == key]
            result = search_family(
                family, radius_mm=min(sharing), others_mm=tuple(sharing),
                tolerance_mm=tolerance_mm, hints=hints,
            )  # fmt: skip
            if not result.optima:  # a reader wants to see what comes nearest to a safe path
                result = replace(result, optima=climbed(family))
            shared[key] = (family, result)
            hints = (*hints, *(o.line for o in result.optima))
        family, result = shared[key]
        found[i] = ClassSearch(gate=gate, needle=needle, family=family, result=result)
    for i, gate, needle in thick_first:
        if i not in found:
            lines = line_family(gate, scene, target, needle.usable_length_mm)
            found[i] = _search_curved(lines, needle, hints, tolerance_mm)
    return found


def _search_curved(
    lines: LineFamily, needle: Needle, hints: tuple[Numbers, ...], tolerance_mm: float
) -> ClassSearch:
    """Search the class of a curved needle, from straight lines known to be good."""
    family = curved_family(lines, needle)
    result = search_curved(
        family, radius_mm=needle.radius_mm, tolerance_mm=max(tolerance_mm, TOLERANCE_MM),
        hints=(*hints, *(o.line for o in climbed(lines))),
    )  # fmt: skip
    return ClassSearch(gate=lines.gate, needle=needle, family=family, result=result)


def _key(gate: Gate, needle: Needle) -> tuple[bytes, float]:
    """Return what two needles must have in common to share a search of one way."""
    return gate.window.wkb, needle.usable_length_mm
