"""Parametric instrumented spines: a generator of synthetic cases with known anatomy.

Shapes are implicit surfaces and swept tubes built from published morphometry; no patient
data is involved. Lengths are millimetres, angles radians, world coordinates patient LPS.
"""
