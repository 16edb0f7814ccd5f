"""Needles, targets, approaches, search, proof, ranking and views.

Inside: millimetres, radians, patient LPS. Degrees and JSON live at the borders only.
"""
