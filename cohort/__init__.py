"""Cohorts: many generated spines planned, counted and reported; no web stack, no pictures."""
