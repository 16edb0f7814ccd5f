"""Compiled loops: arrays and scalars only, no policy, no needle.

Arithmetic is float64 without fast-math, because results enter proofs; only ``trace``, which
searches, is in single precision.
"""

from geometry._kernels.grid import Grid, fill_grid, fill_level, flood_signs, interpolate
from geometry._kernels.inside import contains, farthest_on_segment, winding_number
from geometry._kernels.many import least_ratio, many_distances
from geometry._kernels.options import OPTIONS
from geometry._kernels.query import pierced_by, point_query, segment_crossings, segment_query
from geometry._kernels.raster import BLOCKED, FREE, UNSURE, add_chords, blocked_lines, look_up
from geometry._kernels.trace import trace_lines
from geometry._kernels.tree import FAR, Tree, build_nodes, build_order, node_slack

__all__ = [
    "BLOCKED",
    "FAR",
    "FREE",
    "OPTIONS",
    "UNSURE",
    "Grid",
    "Tree",
    "add_chords",
    "blocked_lines",
    "build_nodes",
    "build_order",
    "contains",
    "farthest_on_segment",
    "fill_grid",
    "fill_level",
    "flood_signs",
    "interpolate",
    "least_ratio",
    "look_up",
    "many_distances",
    "node_slack",
    "pierced_by",
    "point_query",
    "segment_crossings",
    "segment_query",
    "trace_lines",
    "winding_number",
]
