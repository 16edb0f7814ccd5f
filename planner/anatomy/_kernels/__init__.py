"""Compiled loops over the triangles of one bone."""

from planner.anatomy._kernels.contours import outer_contours
from planner.anatomy._kernels.faces import face_sums
from planner.anatomy._kernels.gaussian import averages
from planner.anatomy._kernels.raster import column_crossings

__all__ = ["averages", "column_crossings", "face_sums", "outer_contours"]
