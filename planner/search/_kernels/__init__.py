"""Compiled branch and bound over straight lines through a gate."""

from planner.search._kernels.boxes import box_bound, box_spread, search
from planner.search._kernels.lines import (
    Family,
    line_points,
    line_slack,
    sample,
    skin_exit,
    target_interval,
    window_distance,
)
from planner.search._kernels.polish import RULES, constraint_slopes, constraints

__all__ = [
    "RULES",
    "Family",
    "box_bound",
    "box_spread",
    "constraint_slopes",
    "constraints",
    "line_points",
    "line_slack",
    "sample",
    "search",
    "skin_exit",
    "target_interval",
    "window_distance",
]
