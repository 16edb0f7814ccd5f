"""Rules about what was read and measured: what is missing, derived, near, or assumed."""

from collections.abc import Iterator

from planner.anatomy.model import VertebraAnatomy
from planner.case import HARDWARE, Kind
from planner.fluoroscopy.view_set import view_cautions
from planner.lacking import derived_here, missing_here
from planner.needles.path import Arc, path_length_mm
from planner.question import Question
from planner.request import ScrewHalo
from planner.rules.model import DecisionRule, PathFacts, is_above
from planner.target import TargetRegion
from planner.tip_overlap import TIP_MM, halo_overlap
from planner.transverse_process import passage

SURE = 0.9  # anatomy read with less confidence is named
LEAST_OVERLAP = 0.25  # share of the tip in a lucency below which it is cautioned about [A]
ENTRY_ON_SKIN_MM = 2.0  # a drawn path should start within this of the skin [A]


def _problems(question: Question) -> Iterator[str]:
    yield from (problem.message for problem in question.prepared.case.warnings)


def _region_notes(question: Question) -> Iterator[str]:
    if isinstance(question.region, TargetRegion):
        yield from question.region.notes


def _anatomy_notes(question: Question) -> Iterator[str]:
    anatomy = question.prepared.bone(question.bone)
    if isinstance(anatomy, VertebraAnatomy):
        yield from anatomy.warnings
        if anatomy.confidence < SURE:
            yield f"{anatomy.structure}: confidence {anatomy.confidence:.2f}, {anatomy.cause}"
    if question.bone.level in question.prepared.case.landmarks:
        yield "landmarks given in the case stand in place of what the mesh shows"


def _lacking(question: Question) -> Iterator[str]:
    yield from derived_here(question)
    yield from missing_here(question)


def _not_exact(question: Question) -> Iterator[str]:
    errors = {s.segmentation_error_mm for s in question.prepared.given.structures}
    if max(errors, default=0.0) > 0.0:
        yield (
            f"surfaces may be off by up to {max(errors):g} mm, as stated for the segmentation; "
            "every limit is wider by as much"
        )


def _no_skin(question: Question) -> Iterator[str]:
    if not question.prepared.case.of_kind(Kind.SKIN):
        yield "no skin in the case: entries lie on a stated stand-off plane"


def _nearer_than_preferred(facts: PathFacts) -> Iterator[str]:
    for c in facts.measured:
        preferred = facts.question.policy.rule_of(c).preferred_mm
        if c.traversed or c.contact_allowed or c.distance_mm >= preferred:
            continue
        what = f"{c.kind}, derived" if c.derived else c.kind
        if c.distance_mm < 0.0 and c.advisory:
            yield f"passes through {c.structure} ({what}), {c.at_depth_mm:.0f} mm deep"
        else:
            yield (
                f"{c.distance_mm:.1f} mm from {c.structure} ({what}), "
                f"{c.at_depth_mm:.0f} mm deep: less than the preferred {preferred:.1f} mm"
            )


def _stays_bent(facts: PathFacts) -> Iterator[str]:
    if facts.needle.stays_bent(facts.path):
        radius = min(p.radius_mm for p in facts.path if isinstance(p, Arc))
        yield (
            f"plastic bend: a radius of {radius:.0f} mm is tighter than the "
            f"{facts.needle.elastic_radius_mm:.0f} mm from which {facts.needle.name} springs back"
        )


def _touching(facts: PathFacts) -> Iterator[str]:
    for c in facts.measured:
        if c.contact_allowed:
            yield (
                f"touches {c.structure} on purpose and slides along it: bevel's face on the metal, "
                "no push against resistance"
            )


def _too_long(facts: PathFacts) -> Iterator[str]:
    length = path_length_mm(facts.path)
    if length > facts.needle.usable_length_mm:
        yield (
            f"{length:.0f} mm from skin to tip: longer than the usable "
            f"{facts.needle.usable_length_mm:.0f} mm of {facts.needle.name}"
        )


def _entry(facts: PathFacts) -> Iterator[str]:
    prepared, entry = facts.question.prepared, facts.path[0].start_mm
    skins = prepared.case.of_kind(Kind.SKIN)
    if not skins:
        yield (
            "no skin in the case: the entry lies on a plane 15 mm behind the bone's most "
            "posterior point, so depth and length are estimates"
        )
        return
    off = min(abs(prepared.distance(s).point(entry)[0]) for s in skins)
    if off > ENTRY_ON_SKIN_MM:
        yield f"the path starts {off:.1f} mm off the skin"


def _not_measured(facts: PathFacts) -> Iterator[str]:
    question = facts.question
    case, level = question.prepared.case, question.bone.level
    if facts.beside_pedicle and not case.of_kind(Kind.NERVE_ROOT):
        yield "no nerve roots in the case: the exiting roots were not measured"
    if not case.of_kind(Kind.CANAL):
        yield "no spinal canal in the case: it was not measured"
    if is_above(level, "L3") and not case.of_kind(Kind.PLEURA):
        yield "no pleura in the case: it was not measured"
    if not case.of_kind(Kind.VESSEL):
        yield "no great vessels in the case: they were not measured"


def no_rods(question: Question) -> Iterator[str]:
    """Say that rods are missing where there are screws."""
    case = question.prepared.case
    if case.of_kind(Kind.SCREW) and not case.of_kind(*HARDWARE - {Kind.SCREW, Kind.CAGE}):
        yield "screws but no rod or cross-link in the case: none was measured"


def _hardly_in_lucency(facts: PathFacts) -> Iterator[str]:
    if not isinstance(facts.question.target, ScrewHalo):
        return
    share = halo_overlap(facts.question, facts.needle, facts.path)
    if share is not None and share < LEAST_OVERLAP:
        yield (
            f"only {share:.0%} of the needle's last {TIP_MM:.0f} mm lies in the lucency: it "
            "meets the lucency from the side; one that runs along the screw lies deeper in it"
        )


def _by_process(facts: PathFacts) -> Iterator[str]:
    how = passage(facts.question, facts.path)
    if how is not None:
        level = facts.question.bone.level
        yield f"passes {how} the transverse process{f' of {level}' if level else ''}"


def _views(facts: PathFacts) -> Iterator[str]:
    yield from view_cautions(facts.views)


MEASURED = (
    DecisionRule(
        id="case-problems", source="docs/conventions.md, Trust",
        words="what was found while the case was read is said with every plan",
        on_case=_problems,
    ),
    DecisionRule(
        id="target-notes", source="docs/domain.md, 1.2",
        words="how a target was derived is said", on_case=_region_notes,
    ),
    DecisionRule(
        id="trust", source="docs/conventions.md, Trust",
        words="anatomy that was read with little confidence, or stated, is named",
        on_case=_anatomy_notes,
    ),
    DecisionRule(
        id="derived", source="docs/domain.md, 2.3",
        words="what was derived in place of what was not segmented, and what is missing, is named",
        on_case=_lacking, on_path=lambda facts: _lacking(facts.question),
    ),
    DecisionRule(
        id="segmentation-error", source="docs/conventions.md, Trust",
        words="a stated segmentation error widens every limit, and is told", on_case=_not_exact,
    ),
    DecisionRule(
        id="preferred-distance", source="DOMAIN 2.3 [A]",
        words="what comes nearer than its preferred distance is cautioned about",
        on_path=_nearer_than_preferred,
    ),
    DecisionRule(
        id="plastic-bend", source="DOMAIN 3.4 [D]",
        words="a needle that is bent tighter than it springs back from is told",
        acts_in="planner.search.along_screw", on_path=_stays_bent,
    ),
    DecisionRule(
        id="contact", source="DOMAIN 1.3 K7 [S3]",
        words="metal may be touched only where a needle slides along it",
        acts_in="planner.search.along_screw", on_path=_touching,
    ),
    DecisionRule(
        id="usable-length", source="DOMAIN 3.2 [A]",
        words="a path may not be longer than the needle's usable length", on_path=_too_long,
    ),
    DecisionRule(
        id="entry", source="DOMAIN 4.3 [M]",
        words="a path starts on the skin, or on a stated plane where there is none",
        on_case=_no_skin, on_path=_entry,
    ),
    DecisionRule(
        id="not-measured", source="DOMAIN 2.3",
        words="what is not in the case was not measured, and this is said", on_path=_not_measured,
    ),
    DecisionRule(
        id="lucency", source="DOMAIN 3.5 [D]",
        words="a lucency can be thinner than the needle, so how much of the tip lies in it is told",
        on_path=_hardly_in_lucency,
    ),
    DecisionRule(
        id="K4", source="DOMAIN 1.3 K4 [S3]",
        words="whether a path runs over, under or through the transverse process is told",
        acts_in="planner.transverse_process", on_path=_by_process,
    ),
    DecisionRule(
        id="V7", source="DOMAIN 1.5 V7 [S1]",
        words="metal may hide the posterior wall in the lateral view", on_path=_views,
    ),
)  # fmt: skip
