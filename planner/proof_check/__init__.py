"""The proof that anyone can check: a proof put to the case and the request, without the search."""

from planner.proof_check.check import CheckReport, FamilyReport, check_proof

__all__ = ["CheckReport", "FamilyReport", "check_proof"]
