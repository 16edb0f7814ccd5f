"""Compiled branch and bound over straight lines through a gate."""

from planner.search._kernels.boxes import examine
from planner.search._kernels.branch import BETTER, CLOSED, SPENT, STOPPED, Boxes, branch
from planner.search._kernels.leaves import MOST_ROWS, explain
from planner.search._kernels.lines import (
    Family,
    estimate,
    line_points,
    line_slack,
    sample,
    skin_exit,
    target_interval,
    tip_of,
    window_distance,
)
from planner.search._kernels.model import (
    BOUNDED,
    NO_RULE,
    NO_TIP,
    NO_WINDOW,
    POINTS,
    ROUNDING_MM,
    SPLIT,
    TOO_LONG,
    Faces,
    Space,
    box_spread,
    new_scratch,
)
from planner.search._kernels.polish import RULES, constraint_slopes, constraints, nearest_points

__all__ = [
    "BETTER",
    "BOUNDED",
    "CLOSED",
    "MOST_ROWS",
    "NO_RULE",
    "NO_TIP",
    "NO_WINDOW",
    "POINTS",
    "ROUNDING_MM",
    "RULES",
    "SPENT",
    "SPLIT",
    "STOPPED",
    "TOO_LONG",
    "Boxes",
    "Faces",
    "Family",
    "Space",
    "box_spread",
    "branch",
    "constraint_slopes",
    "constraints",
    "estimate",
    "examine",
    "explain",
    "line_points",
    "line_slack",
    "nearest_points",
    "new_scratch",
    "sample",
    "skin_exit",
    "target_interval",
    "tip_of",
    "window_distance",
]
