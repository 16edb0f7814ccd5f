"""What a rule is: an id, its source, what it says, and when it speaks about a case or a path."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from planner.case import LEVELS
from planner.hazard_margins import stated_near
from planner.needles.model import Needle
from planner.needles.path import Path
from planner.question import Question
from planner.request import Approach
from planner.result import Clearance, View


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PathFacts:
    """One measured path, as far as rules look at it.

    Attributes:
        question: What was asked.
        needle: Its needle.
        path: Skin to tip, patient LPS.
        approach: Its approach; None where it has none.
        measured: Its clearances.
        views: Its C-arm views.
    """

    question: Question
    needle: Needle
    path: Path
    approach: Approach | None
    measured: tuple[Clearance, ...]
    views: tuple[View, ...]

    @property
    def beside_pedicle(self) -> bool:
        """Whether it does not run through the pedicle."""
        return self.approach is not Approach.TRANSPEDICULAR


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRule:
    """One rule.

    Attributes:
        id: ``D7`` and ``H1`` as in docs/domain.md, or a name of its own.
        source: Where it comes from.
        words: What it says in general.
        acts_in: The module that plans by it; the rules themselves where it only warns.
        on_case: The sentences that it has for a case and target, for the plan's ``warnings``.
        on_path: The sentences that it has for a path, for its ``cautions``.
    """

    id: str
    source: str
    words: str
    acts_in: str = "planner.rules"
    on_case: Callable[[Question], Iterator[str]] | None = None
    on_path: Callable[[PathFacts], Iterator[str]] | None = None


def findings_here(question: Question) -> Mapping[str, Any]:
    """Return what was stated about the level of the target's bone."""
    return question.prepared.case.findings.get(question.bone.level or "", {})


def findings_near(question: Question) -> dict[str, Mapping[str, Any]]:
    """Return what was stated about the target's level and its two neighbours, by level."""
    return stated_near(question.prepared.case, question.bone.level)


def at_level(question: Question) -> str:
    """Return `` at L3``, or nothing for a bone without a level."""
    return f" at {question.bone.level}" if question.bone.level else ""


def is_above(level: str | None, limit: str) -> bool:
    """Whether a level lies cranial to another; False for an unknown one."""
    return level in LEVELS and LEVELS.index(level) < LEVELS.index(limit)
