"""Replanning while a target is dragged: the newest question wins, and stale ones end at once.

The space around the bone and the gates are prepared once; every new place of the target is searched
from the best paths of the place before, and proved anew.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from jaxtyping import Int

from planner.anatomy.model import Unavailable
from planner.approach import Gate
from planner.errors import RequestError
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.needles.path import Path
from planner.planning import scene_of
from planner.policy import meant_to_pass
from planner.prepared import PreparedCase
from planner.question import question_of
from planner.request import FreePoint, PlanRequest
from planner.result import Certificate
from planner.search.branch_and_bound import SearchResult, climbed, search_family
from planner.search.certificate import certificate
from planner.search.family import line_family
from planner.target import TargetRegion, bone_of, region_of
from planner.verify import clearances, least_margin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveClass:
    """One class at one place of the target: its best path, if any, and what was proved."""

    gate: Gate
    needle: Needle
    path: Path | None
    certificate: Certificate


class LivePlanner:
    """Answers a moving target in one bone.

    Args:
        prepared: The case.
        request: Approaches, sides, needles, policy and tolerance; its target names the bone.

    Raises:
        RequestError: If the target's region cannot be derived.
    """

    def __init__(self, prepared: PreparedCase, request: PlanRequest) -> None:
        question = question_of(prepared, request)
        if isinstance(question.region, Unavailable):
            raise RequestError(
                f"cannot be followed: {question.region.reason}", field="target",
                code="anatomy-unavailable",
            )  # fmt: skip
        needles = [needle_named(n, field=f"needles[{i}]") for i, n in enumerate(request.needles)]
        self._question, self._request, self._prepared = question, request, prepared
        self._scene = scene_of(question, question.region)
        classes, _ = gates_for(question, request.approaches, request.sides, needles)
        self._classes = [(g, n) for g, n in classes if not g.window.is_empty]
        self._last: dict[int, SearchResult] = {}
        self._lock, self._stop = Lock(), np.zeros(1, dtype=np.int64)
        self._waiting: Future[tuple[LiveClass, ...]] | None = None
        self._worker = ThreadPoolExecutor(1)

    def ask(self, target: FreePoint) -> Future[tuple[LiveClass, ...]]:
        """Return the answer for a new place of the target, to come.

        The question before is given up: if it still waited its answer is cancelled, if it was
        being worked on it ends at once, with what was proved by then.

        Raises:
            RequestError: If the target lies in another bone.
        """
        bone = bone_of(self._prepared, target)
        if bone.name != self._question.bone.name:
            raise RequestError(
                f"lies in {bone.name}, not in {self._question.bone.name}; start anew for that bone",
                field="target", code="other-bone",
            )  # fmt: skip
        with self._lock:
            self._stop[0] = 1
            if self._waiting is not None:
                self._waiting.cancel()
            self._stop = np.zeros(1, dtype=np.int64)
            self._waiting = self._worker.submit(self._answer, target, self._stop)
            return self._waiting

    def close(self) -> None:
        """End what is under way and take no more questions."""
        with self._lock:
            self._stop[0] = 1
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _answer(self, target: FreePoint, stop: Int[np.ndarray, " 1"]) -> tuple[LiveClass, ...]:
        question = self._question
        region = region_of(self._prepared, target, question.bone, question.axes)
        if isinstance(region, Unavailable):
            raise RequestError(region.reason, field="target", code="anatomy-unavailable")
        return tuple(self._class(i, region, stop) for i in range(len(self._classes)))

    def _class(self, index: int, region: TargetRegion, stop: Int[np.ndarray, " 1"]) -> LiveClass:
        gate, needle = self._classes[index]
        tolerance = self._request.certificate_tolerance_mm
        family = line_family(gate, self._scene, region, needle.usable_length_mm)
        before = self._last.get(index)
        result = search_family(
            family, radius_mm=needle.radius_mm, tolerance_mm=tolerance, before=before, stop=stop
        )
        if not result.optima:
            result = replace(result, optima=climbed(family, before))
        self._last[index] = result
        path = family.path(result.optima[0].line) if result.optima else None
        margin = None if path is None else self._margin(path, needle)
        return LiveClass(
            gate=gate, needle=needle, path=path,
            certificate=certificate(gate, needle, result, margin, tolerance),
        )  # fmt: skip

    def _margin(self, path: Path, needle: Needle) -> float:
        """Measure a path on the original meshes."""
        through = meant_to_pass(self._prepared.case, self._question.bone)
        policy = self._question.policy
        measured = clearances(self._prepared, path, needle, policy, through)
        return least_margin(measured)[0]
