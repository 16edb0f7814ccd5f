"""The decision rules D1 to D18 and the hazards H1 to H10 of docs/domain.md, one object each.

Those that warn carry their condition; those that the planner plans by name the module that does.
"""

from collections.abc import Iterator

from planner.case import Kind
from planner.question import Question
from planner.request import Approach
from planner.result import ViewRole
from planner.rules.measured import no_rods
from planner.rules.model import DecisionRule, PathFacts, at_level, findings_here, findings_near

MUCH_COLLAPSED_PERCENT = 70.0  # DOMAIN 1.4 D12
BREAKS = ("rod-broken", "screw-broken")
FAILURE_TYPES = {
    1: "lucency around a screw",
    2: "pull-out or cut-out",
    3: "breakage of a screw or rod",
    4: "angular deformity of more than 10 degrees more",
}
SINS_BANDS = ((6, "stable"), (12, "potentially unstable"), (18, "unstable"))
POSTERIOR = {
    "posterior_wall_broken": "broken posterior wall",
    "lamina_removed": "removed lamina",
    "facets_removed": "removed facets",
    "costovertebral_joint_removed": "removed costovertebral joint",
}


def _broken_implant(question: Question) -> Iterator[str]:
    if findings_here(question).get("failure_type") == 3:
        yield "implant breakage: augmentation does not replace revision [DOMAIN D7]"
    for name, found in question.prepared.hardware.findings.items():
        for problem in found:
            if problem.code in BREAKS:
                yield (
                    f"{name}: {problem.message}; augmentation does not replace revision [DOMAIN D7]"
                )


def _failure_type(question: Question) -> Iterator[str]:
    stated = findings_here(question).get("failure_type")
    if stated is not None:
        yield f"stated failure type {stated}{at_level(question)}: {FAILURE_TYPES[stated]}"


def _infection(question: Question) -> Iterator[str]:
    for level, found in question.prepared.case.findings.items():
        if found.get("suspected_infection"):
            yield f"suspected infection at {level}: biopsy and culture first [DOMAIN D9]"


def _excluded(question: Question) -> Iterator[str]:
    findings = question.prepared.case.findings.values()
    if any(found.get("suspected_infection") for found in findings):
        yield "active infection excludes augmentation until it is settled [DOMAIN D10]"
    if any(found.get("uncorrected_coagulopathy") for found in findings):
        yield "uncorrected coagulopathy excludes augmentation until it is corrected [DOMAIN D10]"


def _no_scan(question: Question) -> Iterator[str]:
    if not question.prepared.case.provenance:
        yield "the case does not say what CT it comes from: one before the procedure is required"


def _collapse(question: Question) -> Iterator[str]:
    found = findings_here(question)
    loss = found.get("height_loss_percent") or 0.0
    broken = bool(found.get("posterior_wall_broken"))
    if loss > MUCH_COLLAPSED_PERCENT:
        wall = " and a broken posterior wall" if broken else ""
        yield (
            f"{loss:.0f} % height loss{wall}{at_level(question)}: cement alone leaks more readily "
            "and fills poorly [DOMAIN D12]"
        )
    if broken:
        yield "broken posterior wall: higher leak risk, watch the canal [DOMAIN D12]"


def _unclear_tip(facts: PathFacts) -> Iterator[str]:
    frontal = (ViewRole.TRUE_AP, ViewRole.THROW_OFF_AP)
    lateral = (ViewRole.TRUE_LATERAL, ViewRole.THROW_OFF_LATERAL)
    for name, roles in (("AP", frontal), ("lateral", lateral)):
        seen = [v for v in facts.views if v.role in roles and v.hidden is not None]
        if seen and all(v.hidden is not None and v.hidden.at_tip for v in seen):
            yield (
                f"metal hides the tip in every {name} view within reach: check its place by "
                "cone-beam CT before filling [DOMAIN D15]"
            )


def _cement_choice(question: Question) -> Iterator[str]:
    found = findings_here(question)
    there = [words for key, words in POSTERIOR.items() if found.get(key)]
    if there:
        yield f"{', '.join(there)}{at_level(question)}: to be weighed when cement is chosen [D17]"


def _instability(question: Question) -> Iterator[str]:
    score = findings_here(question).get("sins_score")
    if score is not None:
        band = next(name for limit, name in SINS_BANDS if score <= limit)
        yield f"spinal instability score {score}{at_level(question)}: {band} [DOMAIN D18]"


def _exposed_sac(question: Question) -> Iterator[str]:
    for level, found in findings_near(question).items():
        if found.get("lamina_removed"):
            yield (
                f"lamina removed at {level}: the sac lies unprotected, and more distance is kept "
                "from the canal [DOMAIN H1]"
            )


def _exposed_pleura(question: Question) -> Iterator[str]:
    for level, found in findings_near(question).items():
        if found.get("costovertebral_joint_removed") or found.get("chest_wall_resected"):
            yield (
                f"costovertebral joint or chest wall removed at {level}: the pleura is exposed, "
                "and more distance is kept from it [DOMAIN H2]"
            )


def _fluid(question: Question) -> Iterator[str]:
    case = question.prepared.case
    for collection in case.of_kind(Kind.FLUID):
        yield f"fluid collection {collection.name}: needles keep out of it [DOMAIN H3]"
    stated = [lvl for lvl, f in findings_near(question).items() if f.get("paraspinal_fluid")]
    if stated and not case.of_kind(Kind.FLUID):
        yield f"fluid stated at {', '.join(stated)} but not in the case: it was not measured [H3]"


def _artefact(question: Question) -> Iterator[str]:
    for level, found in findings_near(question).items():
        if found.get("metal_artefact"):
            yield f"metal artefact at {level}: more distance is kept from metal [DOMAIN H5]"


def _fusion(question: Question) -> Iterator[str]:
    for level, found in findings_near(question).items():
        if found.get("fusion_mass"):
            yield f"fusion mass at {level}: bony landmarks mislead, go by the metal [DOMAIN H8]"


def _vessels_beside(facts: PathFacts) -> Iterator[str]:
    level = facts.question.bone.level
    if facts.beside_pedicle and level in {"L4", "L5"}:
        yield f"vessels are often at risk beside {level} [DOMAIN 2.2, P:qxmd]"


def _unusual_approach(facts: PathFacts) -> Iterator[str]:
    exposed = any(_exposed_pleura(facts.question))
    if exposed and facts.approach in {Approach.EXTRAPEDICULAR, Approach.PARAPEDICULAR}:
        yield "runs beside the pedicle where the pleura is exposed [DOMAIN H2]"


CLINICAL = (
    DecisionRule(
        id="D1", source="DOMAIN 1.4 [S3], 2.2 [P:grech]", acts_in="planner.ranking",
        words="transpedicular is favoured from T9 down, extrapedicular above",
    ),
    DecisionRule(
        id="D2", source="DOMAIN 1.4 [S1]", acts_in="planner.approach",
        words="a screw in the pedicle takes the plain way through it; what it leaves is searched",
    ),
    DecisionRule(
        id="D3", source="DOMAIN 1.4 [S1]", acts_in="planner.guidance.tamp",
        words="no screw or one: a bone tamp may do; screws on both sides: vertebroplasty",
    ),
    DecisionRule(
        id="D4", source="DOMAIN 1.4 [S3]", acts_in="planner.ranking",
        words="a loose screw: follow the screw; a fracture: cross it",
    ),
    DecisionRule(
        id="D5", source="DOMAIN 1.4 [S3]", acts_in="planner.ranking",
        words="crossing cranial or caudal depends on the site: both are searched and ranked",
    ),
    DecisionRule(
        id="D6", source="DOMAIN 1.4 [S3]", acts_in="planner.policy",
        words="a level without screws: the usual ways, rods are in the way",
    ),
    DecisionRule(
        id="D7", source="DOMAIN 1.4 [S3], [S4]",
        words="a broken or disassembled implant needs open surgery", on_case=_broken_implant,
    ),
    DecisionRule(
        id="D8", source="DOMAIN 1.4 [S4], [S0]",
        words="failures come in four types, stated as failure_type", on_case=_failure_type,
    ),
    DecisionRule(
        id="D9", source="DOMAIN 1.4 [S3]",
        words="suspected infection: biopsy and culture first", on_case=_infection,
    ),
    DecisionRule(
        id="D10", source="DOMAIN 1.4 [S3]",
        words="uncorrectable coagulopathy and infection exclude augmentation", on_case=_excluded,
    ),
    DecisionRule(
        id="D11", source="DOMAIN 1.4 [S3], [S1]",
        words="a CT before the procedure is mandatory", on_case=_no_scan,
    ),
    DecisionRule(
        id="D12", source="DOMAIN 1.4 [S0]",
        words="over 70 % collapse, lysis and a broken posterior wall leak more and fill poorly",
        on_case=_collapse,
    ),
    DecisionRule(
        id="D13", source="DOMAIN 1.4 [S1]", acts_in="planner.planning",
        words="where metal leaves no safe path, that is the answer, with reasons",
    ),
    DecisionRule(
        id="D14", source="DOMAIN 1.4 [S2], [S0]", acts_in="planner.guidance.cement",
        words="stop when cement nears the posterior margin, enters canal or foramina, or escapes",
    ),
    DecisionRule(
        id="D15", source="DOMAIN 1.4 [S1]",
        words="where the tip cannot be seen: cone-beam CT", on_path=_unclear_tip,
    ),
    DecisionRule(
        id="D16", source="DOMAIN 1.4 [S0]", acts_in="planner.guidance.cement",
        words="cement about a screw must be a cloud around it in AP and in lateral view",
    ),
    DecisionRule(
        id="D17", source="DOMAIN 1.4 [S4]",
        words="posterior wall, posterior elements and costovertebral joint bear on the cement",
        on_case=_cement_choice,
    ),
    DecisionRule(
        id="D18", source="DOMAIN 1.4 [S2], [S4]",
        words="the spinal instability score comes in bands 0-6, 7-12 and 13-18",
        on_case=_instability,
    ),
    DecisionRule(
        id="H1", source="DOMAIN 1.6 [S1], 2.3 [A]", acts_in="planner.hazard_margins",
        words="removed posterior elements leave the sac unprotected", on_case=_exposed_sac,
    ),
    DecisionRule(
        id="H2", source="DOMAIN 1.6 [S1], 2.3 [A]", acts_in="planner.hazard_margins",
        words="a removed costovertebral joint or chest wall exposes the pleura",
        on_case=_exposed_pleura, on_path=_unusual_approach,
    ),
    DecisionRule(
        id="H3", source="DOMAIN 1.6 [S1]", acts_in="planner.policy",
        words="fluid collections are kept out of", on_case=_fluid,
    ),
    DecisionRule(
        id="H4", source="DOMAIN 1.6 [S1], [S3]", acts_in="planner.policy",
        words="rods and cross-links lie between skin and entry", on_case=no_rods,
    ),
    DecisionRule(
        id="H5", source="DOMAIN 1.6 [S3], [A]", acts_in="planner.hazard_margins",
        words="metal artefact blurs the hardware", on_case=_artefact,
    ),
    DecisionRule(
        id="H6", source="DOMAIN 1.6 [S1], [S2], [S0]", acts_in="planner.guidance.cement",
        words="cement must not enter canal or foramina",
    ),
    DecisionRule(
        id="H7", source="DOMAIN 1.6 [S0]", acts_in="planner.guidance.cement",
        words="cement escapes into prevertebral veins: vein zones and volume caps",
    ),
    DecisionRule(
        id="H8", source="DOMAIN 1.6 [S3]", acts_in="planner.policy",
        words="a fusion mass alters the anatomy; bone on the path is no block", on_case=_fusion,
    ),
    DecisionRule(
        id="H9", source="DOMAIN 1.6 [S1]", acts_in="nowhere",
        words="stiff cement and later rod fracture are a matter of mechanics, not of the needle",
    ),
    DecisionRule(
        id="H10", source="DOMAIN 1.6 [S1]", acts_in="nowhere",
        words="radiation, wound and delay are reasons for the procedure, not for a path",
    ),
    DecisionRule(
        id="lumbar-vessels", source="DOMAIN 2.2 [P:qxmd], [P:acemap]",
        words="ways beside the pedicle are discouraged at L4 and L5", on_path=_vessels_beside,
    ),
)  # fmt: skip
