"""The border to the outside: HTTP service and command line, JSON in degrees and millimetres."""

DISCLAIMER = "Research software, not a medical device."
