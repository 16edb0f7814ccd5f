"""How large a case may be, checked where it is read: in a worker."""

from dataclasses import dataclass

from planner.case import Case
from planner.errors import CaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLimits:
    """What an operator allows.

    Attributes:
        structures: Structures of one case.
        triangles: Triangles of one structure.
    """

    structures: int
    triangles: int

    def require(self, case: Case) -> None:
        """Refuse a case that is larger.

        Raises:
            CaseError: Naming the field.
        """
        if len(case.structures) > self.structures:
            raise CaseError(
                f"has {len(case.structures)} structures, and {self.structures} may be sent here; "
                "leave out what is far from the target",
                field="structures", code="too-large",
            )  # fmt: skip
        for index, structure in enumerate(case.structures):
            if len(structure.mesh.faces) > self.triangles:
                raise CaseError(
                    f"has {len(structure.mesh.faces)} triangles, and {self.triangles} may be sent "
                    "here; decimate its surface",
                    field=f"structures[{index}]", code="too-large",
                )  # fmt: skip
