"""More distance where a finding says that what protects a structure is gone, or badly seen."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from planner.case import HARDWARE, LEVELS, Case, Kind
from planner.policy import Policy, Rule

# By finding, mm more from each kind (DOMAIN 1.6 H1, H2, H5; 2.3) [A].
MORE_MM: Mapping[str, Mapping[Kind, float]] = MappingProxyType(
    {
        "lamina_removed": {Kind.CANAL: 1.0},
        "costovertebral_joint_removed": {Kind.PLEURA: 2.0},
        "chest_wall_resected": {Kind.PLEURA: 2.0},
        "metal_artefact": dict.fromkeys(sorted(HARDWARE), 0.5),
    }
)


def stated_near(case: Case, level: str | None) -> dict[str, Mapping[str, Any]]:
    """Return the findings of a level and of its two neighbours, by level, cranial first."""
    if level not in LEVELS:
        return {}
    at = LEVELS.index(level)
    near = LEVELS[max(at - 1, 0) : at + 2]
    return {name: case.findings[name] for name in near if name in case.findings}


def more_mm(case: Case, level: str | None, kind: Kind) -> float:
    """Return how much more is kept from a kind for what was found at or next to a level, mm."""
    stated = stated_near(case, level).values()
    return max(
        (
            by_kind.get(kind, 0.0)
            for finding, by_kind in MORE_MM.items()
            if any(found.get(finding) for found in stated)
        ),
        default=0.0,
    )


def with_hazards(policy: Policy, case: Case, level: str | None) -> Policy:
    """Return a policy that keeps more distance where findings ask for it."""
    rules = dict(policy.rules)
    for kind, rule in policy.rules.items():
        more = more_mm(case, level, kind)
        if more > 0.0:
            rules[kind] = Rule(
                hard_mm=None if rule.hard_mm is None else rule.hard_mm + more,
                preferred_mm=rule.preferred_mm + more,
                source=f"{rule.source}; {more:.1f} mm more for what was found [A]",
            )
    return Policy(rules=MappingProxyType(rules))
