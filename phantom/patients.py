"""A population of operated spines: what happened to each, and a body drawn for it.

A story says what was instrumented and what failed; who it happened to is drawn by a seed: sex and
stature (DOMAIN 4: factors 0.9 to 1.1), the width of the pedicles on top of it, how much height a
broken body has lost and the spine is bent forward, how wide a lucency is. The same story and seed
give the same recipe.
"""

from dataclasses import dataclass, replace

import numpy as np

from phantom.cages import CagePlacement
from phantom.morphometry import PHANTOM_LEVELS
from phantom.pelvis import ILIUM, S1
from phantom.recipe import Fracture, Operated, Placement, Recipe, skeleton
from phantom.spine import STRAIGHT, Deformity
from planner.case import Side
from planner.request import CageEnd

WOMEN = 19.0 / 29.0  # of the published series [S3]
STATURE = {"female": (0.96, 0.025), "male": (1.04, 0.025)}  # mean and standard deviation
SCALE_RANGE = (0.9, 1.1)
PEDICLE_SD, PEDICLE_RANGE = 0.12, (0.8, 1.3)  # T4: 4.5 +- 0.93 mm among people [P:kaur]
HEIGHT_LOSS = (0.15, 0.5)
HALO_MM = ((0.6, 1.5), (1.6, 3.0))  # at mid-shaft and at the ends
CAGE_DEPTH_MM = (1.5, 4.0)
SCOLIOSIS_DEG = (3.0, 6.0)  # from one level to the next, and half as much of rotation
KYPHOSIS_DEG = (2.0, 4.0)  # on top of the usual, from one level to the next
JUNCTIONAL_DEG = (5.0, 15.0)  # between a broken body above a construct and the one below it
RESOLUTION_MM = 1.8
TRIES = 40
_SIDES = {"L": Side.LEFT, "R": Side.RIGHT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What was done to a spine and what failed, in words separated by blanks.

    Attributes:
        levels: First and last level drawn, such as ``T4-T6``; ``S1`` last draws the sacrum.
        bare: Levels of them without screws; all others have two.
        loose: Loose screws, such as ``T4L``; ``iliumR`` for an iliac one.
        within: Broken bodies within the construct.
        junctional: Broken bodies above it; they are bare.
        cages: Levels above the discs of sunken cages.
        operated: Levels and what was taken there, such as ``T10:lamina_removed``.
        ilium: There are iliac screws.
        curved: The spine is scoliotic.
        bent: The spine is bent forward along its whole length.
    """

    levels: str
    bare: str = ""
    loose: str = ""
    within: str = ""
    junctional: str = ""
    cages: str = ""
    operated: str = ""
    ilium: bool = False
    curved: bool = False
    bent: bool = False

    @property
    def loose_screws(self) -> tuple[tuple[str, Side], ...]:
        """Level and side of each loose screw."""
        return tuple((word[:-1], _SIDES[word[-1]]) for word in self.loose.split())

    @property
    def spine_levels(self) -> tuple[str, ...]:
        """The vertebrae drawn, cranial first."""
        first, last = self.levels.split("-")
        end = len(PHANTOM_LEVELS) if last == S1 else PHANTOM_LEVELS.index(last) + 1
        return PHANTOM_LEVELS[PHANTOM_LEVELS.index(first) : end]

    @property
    def screw_levels(self) -> tuple[str, ...]:
        """The levels with two screws."""
        bare = {*self.bare.split(), *self.junctional.split()}
        pelvic = ((S1,) if self.levels.endswith(S1) else ()) + ((ILIUM,) if self.ilium else ())
        return tuple(level for level in (*self.spine_levels, *pelvic) if level not in bare)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A story and the body drawn for it.

    Attributes:
        story: What happened.
        sex: ``female`` or ``male``.
        recipe: Everything that settles the synthetic case.
        draws: How many bodies were drawn until every screw fitted its bone.
    """

    story: Story
    sex: str
    recipe: Recipe
    draws: int


def draw_patient(story: Story, *, name: str, seed: int) -> Patient:
    """Draw a body for a story.

    Bodies are drawn until all screws fit, as surgeons put them where they fit: pedicles of
    instrumented levels are therefore somewhat wider than those of all.

    Raises:
        ValueError: If no body of many has room for the screws.
    """
    rng = np.random.default_rng([seed, 211])
    sex = "female" if rng.random() < WOMEN else "male"
    for draw in range(1, TRIES + 1):
        recipe = _drawn(story, name, sex, rng)
        try:
            skeleton(recipe)
        except ValueError:
            continue
        return Patient(story=story, sex=sex, recipe=recipe, draws=draw)
    raise ValueError(f"{name}: no body of {TRIES} has room for the screws of {story.levels}")


def _drawn(story: Story, name: str, sex: str, rng: np.random.Generator) -> Recipe:
    mean, deviation = STATURE[sex]
    operated = (word.split(":") for word in story.operated.split())
    recipe = Recipe(
        name=name,
        title=f"{name} (synthetic)",
        levels=story.spine_levels,
        screws=_screws(story, rng),
        fractures=tuple(
            Fracture(level=level, height_loss=round(float(rng.uniform(*HEIGHT_LOSS)), 3))
            for level in (*story.within.split(), *story.junctional.split())
        ),
        cages=tuple(
            CagePlacement(
                above=level,
                into=CageEnd.CRANIAL if rng.random() < 0.5 else CageEnd.CAUDAL,
                depth_mm=round(float(rng.uniform(*CAGE_DEPTH_MM)), 2),
            )
            for level in story.cages.split()
        ),
        operated=tuple(Operated(level=level, operation=what) for level, what in operated),
        pelvis=story.levels.endswith(S1),
        scale=_within(rng.normal(mean, deviation), SCALE_RANGE),
        pedicle_width=_within(rng.normal(1.0, PEDICLE_SD), PEDICLE_RANGE),
        deformity=_scoliosis(rng) if story.curved else STRAIGHT,
        seed=int(rng.integers(1, 2**31)),
        resolution_mm=RESOLUTION_MM,
    )
    return replace(recipe, deformity=replace(recipe.deformity, forward=_kyphosis(story, rng)))


def _screws(story: Story, rng: np.random.Generator) -> tuple[Placement, ...]:
    loose = story.loose_screws
    placed = []
    for level in story.screw_levels:
        for side in Side:
            halo = tuple(round(float(rng.uniform(*ends)), 2) for ends in HALO_MM)
            thickness = (halo[0], halo[1]) if (level, side) in loose else None
            placed.append(Placement(level=level, side=side, halo_mm=thickness))
    return tuple(placed)


def _within(value: float, limits: tuple[float, float]) -> float:
    return round(min(max(value, limits[0]), limits[1]), 3)


def _scoliosis(rng: np.random.Generator) -> Deformity:
    side = 1.0 if rng.random() < 0.5 else -1.0
    sideways = side * float(np.radians(rng.uniform(*SCOLIOSIS_DEG)))
    return Deformity(sideways=sideways, about=0.5 * sideways)


def _kyphosis(story: Story, rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
    ranges = dict.fromkeys(story.spine_levels[:-1] if story.bent else (), KYPHOSIS_DEG)
    ranges |= dict.fromkeys(story.junctional.split(), JUNCTIONAL_DEG)
    return tuple((level, float(np.radians(rng.uniform(*deg)))) for level, deg in ranges.items())
