"""What may be touched, and how near: one rule for every kind of structure.

Margins are from the needle's surface (DOMAIN 2.3, engineering defaults [A] unless noted there),
not clinical thresholds. ``None`` as the hard limit means advisory: measured, shown, never barred.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from planner.case import Case, Kind, Structure
from planner.errors import RequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How near a needle's surface may come to one kind of structure.

    Attributes:
        hard_mm: Smallest surface-to-surface distance allowed, or None for advisory only.
        preferred_mm: Distance below which a path is cautioned about.
        source: Where the figures come from.
    """

    hard_mm: float | None
    preferred_mm: float
    source: str


_BONE = Rule(hard_mm=0.0, preferred_mm=1.0, source="[A]: no passage through other bones")
_METAL = Rule(hard_mm=0.3, preferred_mm=1.0, source="DOMAIN 2.3 [A]")
_WITHIN = Rule(hard_mm=None, preferred_mm=0.0, source="entered on purpose")

DEFAULTS: Mapping[Kind, Rule] = MappingProxyType({
    Kind.VERTEBRA: _BONE,
    Kind.SACRUM: _BONE,
    Kind.ILIUM: _BONE,
    Kind.RIB: _BONE,
    Kind.OTHER_BONE: _BONE,
    Kind.DISC: Rule(hard_mm=0.0, preferred_mm=1.0, source="[A]: no passage through a disc"),
    Kind.SCREW: _METAL,
    Kind.ROD: _METAL,
    Kind.CROSSLINK: _METAL,
    Kind.CAGE: _METAL,
    Kind.CEMENT: Rule(hard_mm=0.0, preferred_mm=1.0, source="[A]: set cement stops a needle"),
    Kind.CANAL: Rule(hard_mm=1.0, preferred_mm=3.0, source="DOMAIN 2.3 [A]"),
    Kind.NERVE_ROOT: Rule(hard_mm=1.0, preferred_mm=2.0, source="DOMAIN 2.3 [A]"),
    Kind.PLEURA: Rule(hard_mm=2.0, preferred_mm=5.0, source="DOMAIN 2.3 [A]"),
    Kind.VESSEL: Rule(hard_mm=3.0, preferred_mm=5.0, source="DOMAIN 2.3 [A]"),
    Kind.SEGMENTAL_VESSEL: Rule(hard_mm=None, preferred_mm=1.0, source="DOMAIN 2.3: soft cost"),
    Kind.ORGAN: Rule(hard_mm=3.0, preferred_mm=10.0, source="DOMAIN 2.3 [A]"),
    Kind.FLUID: Rule(hard_mm=0.0, preferred_mm=1.0, source="DOMAIN 2.3: 0 overlap"),
    Kind.SKIN: _WITHIN,
    Kind.HALO: _WITHIN,
    Kind.LESION: _WITHIN,
})  # fmt: skip


# What is derived and not segmented is kept away from by so much more, mm [A]. A lung that stands
# for its pleura is dilated by 2 (DOMAIN 2.3).
WIDENED_MM: Mapping[Kind, float] = MappingProxyType(
    {Kind.CANAL: 1.0, Kind.NERVE_ROOT: 1.0, Kind.PLEURA: 2.0}
)


@runtime_checkable
class Limited(Protocol):
    """What a distance is kept from: a structure, or the clearance to one."""

    @property
    def kind(self) -> Kind:
        """What it is."""
        ...

    @property
    def derived(self) -> object:
        """Something true if it was derived and not segmented."""
        ...

    @property
    def segmentation_error_mm(self) -> float:
        """How far its surface may be off, as stated."""
        ...


# A needle passes through these whatever it is meant for, so no hard limit can be set on them.
PASSED_THROUGH = frozenset({Kind.SKIN, Kind.HALO, Kind.LESION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules in force for one request: the defaults with the caller's overrides."""

    rules: Mapping[Kind, Rule]

    def rule(self, kind: Kind) -> Rule:
        """Return the rule for ``kind`` where it was segmented; every kind has one."""
        return self.rules[kind]

    def rule_of(self, one: Limited) -> Rule:
        """Return the rule for one structure: its kind's, widened by what is not sure of it."""
        rule, more = self.rules[one.kind], widening_mm(one)
        if more == 0.0:
            return rule
        why = "because it is derived [A]" if one.derived else "for its stated segmentation error"
        return Rule(
            hard_mm=None if rule.hard_mm is None else rule.hard_mm + more,
            preferred_mm=rule.preferred_mm + more,
            source=f"{rule.source}; {more:.1f} mm more {why}",
        )


def meant_to_pass(case: Case, bone: Structure) -> frozenset[str]:
    """Name what a needle into ``bone`` passes through: it, the skin, halos and lesions."""
    return frozenset({bone.name, *(s.name for s in case.of_kind(*PASSED_THROUGH))})


DEFAULT_POLICY = Policy(rules=DEFAULTS)


def widening_mm(one: Limited) -> float:
    """Return how much more is kept from something that is derived or segmented with an error."""
    return (WIDENED_MM[one.kind] if one.derived else 0.0) + one.segmentation_error_mm


def policy_with(overrides: Mapping[Kind, tuple[float | None, float]]) -> Policy:
    """Return the default policy with (hard_mm, preferred_mm) replaced for some kinds.

    Raises:
        RequestError: For a hard limit on a kind that is passed through on purpose.
    """
    for kind, (hard, _) in overrides.items():
        if kind in PASSED_THROUGH and hard is not None:
            limitable = ", ".join(k for k in Kind if k not in PASSED_THROUGH)
            raise RequestError(
                f"a needle passes through {kind} on purpose, so it can have no hard_mm; "
                f"set one for: {limitable}",
                field=f"policy.{kind}.hard_mm", code="no-hard-limit",
            )  # fmt: skip
    changed = {
        kind: Rule(hard_mm=hard, preferred_mm=preferred, source="request")
        for kind, (hard, preferred) in overrides.items()
    }
    return Policy(rules=MappingProxyType({**DEFAULTS, **changed}))
