"""The caller's mistakes: each names the field it is about and how to mend it."""


class InputError(ValueError):
    """Something the caller sent cannot be used.

    Attributes:
        field: Path of the offending field, such as ``structures[3].units``.
        code: Stable, hyphenated name of the kind of mistake, such as ``unknown-level``.
    """

    def __init__(self, message: str, *, field: str, code: str) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


class CaseError(InputError):
    """The case (case.json, its meshes, its anatomy) cannot be used."""


class RequestError(InputError):
    """The plan or evaluation request cannot be used."""


class ProofError(InputError):
    """The proof cannot be used: its files are not what they should be, or it does not hold."""
