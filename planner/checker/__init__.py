"""Checks the proofs of certificates without the search that made them; start with ``check``."""
