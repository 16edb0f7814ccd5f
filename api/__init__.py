"""The border to the outside: HTTP service and command line, JSON in degrees and millimetres."""

import os

# Before anything loads numpy: the matrices here are tiny, and a pool of threads only slows them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

DISCLAIMER = "Research software, not a medical device."
