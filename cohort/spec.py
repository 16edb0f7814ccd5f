"""What a cohort is: a series of stories, gone through so many times, and what is asked of each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cohort.series import BILATERAL, PUBLISHED
from phantom.patients import Patient, Story, draw_patient
from phantom.recipe import LETTER
from planner.case import Side
from planner.needles.catalogue import CATALOGUE
from planner.request import (
    AnteriorBody,
    Approach,
    CageEnd,
    CageInterface,
    PlanRequest,
    ScrewHalo,
)

LOOSE, CAGE, WITHIN, ADJACENT = "loose screw", "cage", "fracture within", "fracture adjacent"
STRAIGHT, CURVED, ALONG = "straight", "curved", "along the screw"
GAUGES = ("15G-150", "13G-150", "11G-150", "10G-150")
CURVED_NEEDLES = tuple(name for name, needle in CATALOGUE.items() if needle.curved)
_REGIONS = MappingProxyType({"T": "thoracic", "L": "lumbar", "S": "sacral", "i": "iliac"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target of a spine.

    Attributes:
        level: Level label, or ``ilium``.
        failure: Why it is one.
        way: What is tried, in a series that counts ways apart; empty where all is tried at once.
        request: The question put to the planner.
    """

    level: str
    failure: str
    way: str = ""
    request: PlanRequest

    @property
    def region(self) -> str:
        """Part of the spine, as the published series counts targets."""
        return _REGIONS[self.level[0]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Stories, and what is to be planned in a spine drawn for one of them.

    Attributes:
        about: What it is, in a sentence.
        stories: What happened to its spines.
        targets_of: Yields the targets of a spine.
    """

    about: str
    stories: tuple[Story, ...]
    targets_of: Callable[[Patient], Iterator[Target]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A cohort. Its spines are drawn one by one: the same number gives the same spine anywhere.

    Attributes:
        name: Its name.
        series: A key of ``SERIES``.
        copies: How often the stories are gone through, each time with other bodies.
        seed: Settles every body.
    """

    name: str
    series: str
    copies: int = 1
    seed: int = 1

    @property
    def size(self) -> int:
        """How many spines it has."""
        return self.copies * len(SERIES[self.series].stories)

    def patient(self, number: int) -> Patient:
        """Draw a spine, numbered from 0.

        Raises:
            ValueError: If no body drawn for its story has room for its screws.
        """
        stories = SERIES[self.series].stories
        seed = self.seed * 1_000_003 + number
        return draw_patient(stories[number % len(stories)], name=spine_name(number), seed=seed)

    def targets(self, patient: Patient) -> tuple[Target, ...]:
        """Return what is to be planned in a spine."""
        return tuple(SERIES[self.series].targets_of(patient))


def spine_name(number: int) -> str:
    """Return the name of a spine, numbered from 0."""
    return f"{number + 1:06d}"


def _failures(patient: Patient) -> Iterator[Target]:
    """Yield all that failed in a spine, each asked for with the planner's own choices.

    Loose screws may be followed along, too.
    """
    story = patient.story
    for level, side in story.loose_screws:
        halo = ScrewHalo(screw=_screw(level, side))
        request = PlanRequest(target=halo, approaches=tuple(Approach), max_trajectories=1)
        yield Target(level=level, failure=LOOSE, request=request)
    levels = patient.recipe.levels
    for cage in patient.recipe.cages:
        below = levels[levels.index(cage.above) + 1]
        face = CageInterface(cage=cage.name, end=cage.into)
        yield Target(
            level=cage.above if cage.into is CageEnd.CRANIAL else below, failure=CAGE,
            request=PlanRequest(target=face, max_trajectories=1),
        )  # fmt: skip
    for broken, failure in ((story.within, WITHIN), (story.junctional, ADJACENT)):
        for level in broken.split():
            request = PlanRequest(target=AnteriorBody(level=level), max_trajectories=1)
            yield Target(level=level, failure=failure, request=request)


def _ways(patient: Patient) -> Iterator[Target]:
    """Yield the ways into a level with two screws: into the body, or along its left screw."""
    ((level, side),) = patient.story.loose_screws
    body = AnteriorBody(level=level)
    for way, needles in ((STRAIGHT, GAUGES), (CURVED, CURVED_NEEDLES)):
        request = PlanRequest(target=body, needles=needles, max_trajectories=1)
        yield Target(level=level, failure=WITHIN, way=way, request=request)
    request = PlanRequest(
        target=ScrewHalo(screw=_screw(level, side)), approaches=(Approach.ALONG_SCREW,),
        sides=(side,), needles=GAUGES, max_trajectories=1,
    )  # fmt: skip
    yield Target(level=level, failure=LOOSE, way=ALONG, request=request)


def _screw(level: str, side: Side) -> str:
    return f"screw_{level}_{LETTER[side]}"


SERIES: Mapping[str, Series] = MappingProxyType(
    {
        "published": Series(
            about="The published series in silico: 31 procedures, 72 targets, in its mix.",
            stories=PUBLISHED,
            targets_of=_failures,
        ),
        "bilateral": Series(
            about="Levels T4 to L5 with a screw on either side: which ways there are, by needle.",
            stories=BILATERAL,
            targets_of=_ways,
        ),
    }
)

BUILT_IN: Mapping[str, Spec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            Spec(name="published-72", series="published"),
            Spec(name="bilateral-t4-l5", series="bilateral"),
        )
    }
)
