"""Anatomy derived from the meshes: vertebral frames, bodies, pedicles, and the hardware's axes."""
