"""Every rule in one table, and what they say about a case or a path.

A sentence of a plan's ``warnings`` or of a trajectory's ``cautions`` comes from here and from
nowhere else.
"""

from planner.question import Question
from planner.rules.clinical import CLINICAL
from planner.rules.measured import MEASURED
from planner.rules.model import DecisionRule, PathFacts

RULES: tuple[DecisionRule, ...] = (*MEASURED, *CLINICAL)


def warnings_of(question: Question) -> tuple[str, ...]:
    """Return what a person should know of the case before reading on, each thing once."""
    said = [s for rule in RULES if rule.on_case is not None for s in rule.on_case(question)]
    return tuple(dict.fromkeys(said))


def cautions_of(facts: PathFacts) -> tuple[str, ...]:
    """Return what a person should know of a path, each thing once."""
    said = [s for rule in RULES if rule.on_path is not None for s in rule.on_path(facts)]
    return tuple(dict.fromkeys(said))


__all__ = [
    "CLINICAL", "MEASURED", "RULES", "DecisionRule", "PathFacts", "cautions_of", "warnings_of",
]  # fmt: skip
