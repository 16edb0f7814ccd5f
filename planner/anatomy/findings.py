"""What is wrong with hardware, as far as meshes can tell: a measured sentence each, no guesses."""

from geometry.mesh import Problem, Severity


def warning(code: str, message: str) -> Problem:
    """Return a finding that a person should look at."""
    return Problem(code=code, severity=Severity.WARNING, message=message)
