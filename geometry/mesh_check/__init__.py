"""Defects of a surface: found, mended where that is safe, reported by numbers, or refused."""

from geometry.mesh_check.check import (
    LARGEST_MM,
    SMALLEST_MM,
    check_and_repair,
    scale_problems,
)

__all__ = ["LARGEST_MM", "SMALLEST_MM", "check_and_repair", "scale_problems"]
