"""Compiled branch and bound over straight lines through a gate."""

from planner.search._kernels.boxes import examine
from planner.search._kernels.branch import BETTER, CLOSED, LOST, SPENT, STOPPED, Boxes, branch
from planner.search._kernels.climb import PREFERENCE, climb, rescue
from planner.search._kernels.curved import (
    Bend,
    aim_curved,
    curved_climb,
    curved_sample,
    curved_slack,
)
from planner.search._kernels.curved_boxes import CurvedBoxes, branch_curved, examine_curved
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
    Cells,
    Faces,
    Space,
    box_spread,
    new_scratch,
)
from planner.search._kernels.programme import best_step

__all__ = [
    "BETTER",
    "BOUNDED",
    "CLOSED",
    "LOST",
    "MOST_ROWS",
    "NO_RULE",
    "NO_TIP",
    "NO_WINDOW",
    "POINTS",
    "PREFERENCE",
    "ROUNDING_MM",
    "SPENT",
    "SPLIT",
    "STOPPED",
    "TOO_LONG",
    "Bend",
    "Boxes",
    "Cells",
    "CurvedBoxes",
    "Faces",
    "Family",
    "Space",
    "aim_curved",
    "best_step",
    "box_spread",
    "branch",
    "branch_curved",
    "climb",
    "curved_climb",
    "curved_sample",
    "curved_slack",
    "estimate",
    "examine",
    "examine_curved",
    "explain",
    "line_points",
    "line_slack",
    "new_scratch",
    "rescue",
    "sample",
    "skin_exit",
    "target_interval",
    "tip_of",
    "window_distance",
]
