"""Frames, meshes, distance fields, exact distances and projection.

This package knows no needle, no approach and no policy; lengths are millimetres, angles
radians, and world coordinates are patient LPS (x Left, y Posterior, z Superior).
"""
