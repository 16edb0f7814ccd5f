"""Numbers in text: every token must be one, and as many as were declared."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from geometry.mesh import MeshError
from geometry.mesh_files.raw import EXPORT_AGAIN


def decoded(data: bytes, what: str) -> str:
    """Return the text of an ASCII or UTF-8 file.

    Raises:
        MeshError: ``unknown-format`` if it holds binary bytes.
    """
    if b"\0" in data:
        raise MeshError("unknown-format", f"binary bytes where {what} has text; {EXPORT_AGAIN}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MeshError(
            "unknown-format", f"byte {error.start} is no text, but {what} is a text format"
        ) from None


def floats(tokens: Sequence[str], what: str) -> Float[np.ndarray, " n"]:
    """Turn tokens into float64 values.

    Raises:
        MeshError: ``malformed`` naming the first token that is no number.
    """
    try:
        return np.array(tokens, dtype=np.float64) if tokens else np.zeros(0)
    except ValueError:
        wrong = next(token for token in tokens if not _is_number(token))
        raise MeshError("malformed", f"{wrong[:40]!r} is no number in {what}") from None


def integers(tokens: Sequence[str], what: str) -> Int[np.ndarray, " n"]:
    """Turn tokens into int64 values.

    Raises:
        MeshError: ``malformed`` if one is no whole number.
    """
    return whole(floats(tokens, what), what)


def whole(values: Float[np.ndarray, " n"], what: str) -> Int[np.ndarray, " n"]:
    """Return float values that must be whole as int64.

    Raises:
        MeshError: ``malformed`` if one is not whole or beyond 2**52.
    """
    if len(values) and not (np.abs(values) < 2.0**52).all():  # also catches NaN
        raise MeshError("malformed", f"a number in {what} is no usable index; {EXPORT_AGAIN}")
    result = values.astype(np.int64)
    if not np.array_equal(result, values):
        raise MeshError("malformed", f"a number in {what} is not whole; {EXPORT_AGAIN}")
    return result


def count(token: str, what: str) -> int:
    """Read a declared count.

    Raises:
        MeshError: ``malformed`` if it is no whole number of at least zero.
    """
    if not (token.isascii() and token.isdigit()) or len(token) > 18:
        raise MeshError("malformed", f"{token[:40]!r} is no count of {what}")
    return int(token)


def short(have: int, need: int, what: str) -> MeshError:
    """Return the error for a file that ends before what it declares."""
    return MeshError(
        "truncated",
        f"the header promises {need} {what}, but only {have} are there; the file is cut off: "
        "copy or export it again",
    )


def surplus(extra: int, what: str) -> MeshError:
    """Return the error for a file that goes on after what it declares."""
    return MeshError(
        "count-mismatch",
        f"{extra} {what} follow after all that the header declares; {EXPORT_AGAIN}",
    )


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
