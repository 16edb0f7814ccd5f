"""The command that compares pedicles in changed bones: what it calls off, and what wrong."""

from dataclasses import replace
from itertools import islice

import numpy as np

from phantom.stability import WHOLE, Reading, readings, table
from planner.case import Side

STEADY = Reading(level="L2", variant=WHOLE, change="noise", side=Side.LEFT, off=(0.4, 1.2))


def test_a_bone_as_drawn_is_off_by_nothing_and_turned_by_next_to_nothing() -> None:
    drawn, turned = np.split(
        np.array([one.off for one in islice(readings("T8", seed=3, variants=(WHOLE,)), 4)]), 2
    )
    assert (drawn == 0.0).all()
    assert (turned < 1e-3).all()


def test_only_a_claim_beyond_a_limit_is_wrong() -> None:
    moved, swung = replace(STEADY, off=(1.1, 0.0)), replace(STEADY, off=(0.2, 3.1))
    gone = replace(STEADY, off=(np.inf, np.inf))
    refused = replace(STEADY, off=None, reason="notched")
    assert [one.is_wrong for one in (STEADY, moved, swung, gone, refused)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    shown = table([STEADY, swung, refused])
    assert "| all | 3 | 2 | 0.40 | 3.1 | 1 |" in shown
    assert "* L2 left, whole, noise: 0.20 mm, 3.1 deg" in shown
