"""Several needles in one session: start with ``planning``."""
