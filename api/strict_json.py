"""JSON as the standard has it: no NaN, no infinities, and a mistake is named by its place."""

import math
from collections.abc import Iterator

from pydantic import JsonValue
from pydantic_core import from_json

from api.problems import MalformedBodyError


def parsed_json(raw: bytes, *, field: str = "body") -> JsonValue:
    """Return what ``raw`` says.

    Args:
        raw: UTF-8 text.
        field: What to call the document in an error.

    Raises:
        MalformedBodyError: If it is not JSON, or holds a number that JSON does not have.
    """
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        reason = str(error)
    place = _place_of_non_finite(raw)
    if place is not None:
        raise MalformedBodyError(
            "is not a finite number; JSON has no NaN and no Infinity",
            field=place or field, code="non-finite",
        )  # fmt: skip
    raise MalformedBodyError(f"is not JSON: {reason}", field=field, code="malformed-json")


def parsed_object(raw: bytes, *, field: str = "body") -> dict[str, JsonValue]:
    """Return what ``raw`` says, which must be an object.

    Raises:
        MalformedBodyError: If it is not JSON, or not an object.
    """
    document = parsed_json(raw, field=field)
    if not isinstance(document, dict):
        raise MalformedBodyError(
            "must be a JSON object, in curly braces", field=field, code="not-an-object"
        )
    return document


def _place_of_non_finite(raw: bytes) -> str | None:
    """Return the path of the first NaN or infinity, if that is all that is wrong."""
    try:
        document = from_json(raw, allow_inf_nan=True)
    except ValueError:
        return None
    return next(_non_finite(document, ""), None)


def _non_finite(value: JsonValue, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _non_finite(member, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _non_finite(member, f"{path}[{index}]")
