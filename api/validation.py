"""From pydantic's findings to ours: where, what is wrong, and what would be right.

Pydantic's own report repeats the input; nothing of the input is taken over here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api.problems import FieldError, InvalidRequestError

_MOST_ERRORS = 20
_NOWHERE = object()
_WORDS = {
    "missing": "is required",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}
_CODES = {
    "missing": "missing",
    "finite_number": "non-finite",
    "extra_forbidden": "unknown-key",
    "enum": "unknown-choice",
    "literal_error": "unknown-choice",
    "union_tag_invalid": "unknown-choice",
    "union_tag_not_found": "missing",
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than": "out-of-range",
    "less_than_equal": "out-of-range",
    "too_short": "wrong-length",
    "too_long": "wrong-length",
    "string_too_long": "wrong-length",
    "string_too_short": "wrong-length",
}


def invalid_request(error: ValidationError, document: object) -> InvalidRequestError:
    """Return pydantic's findings about ``document`` as one error that names every field."""
    findings = error.errors(include_url=False, include_input=False)
    return InvalidRequestError(
        tuple(_field_error(finding, document) for finding in findings[:_MOST_ERRORS])
    )


def invalid_parameters(findings: Sequence[Any]) -> InvalidRequestError:
    """Return the framework's findings about path and query as one error of ours."""
    return InvalidRequestError(
        tuple(
            FieldError(
                field=field_path(list(finding["loc"][1:])) or "request",
                code=_CODES.get(finding["type"], "wrong-type"),
                message=_message(finding),
            )
            for finding in findings[:_MOST_ERRORS]
        )
    )


def _field_error(finding: ErrorDetails, document: object) -> FieldError:
    kind = finding["type"]
    parts = list(_walk(finding["loc"], document))
    if kind == "missing":
        parts.append(finding["loc"][-1])
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        parts.append(str(finding["ctx"]["discriminator"]).strip("'"))
    own_word = "-" in kind
    return FieldError(
        field=field_path(parts) or "body",
        code=kind if own_word else _CODES.get(kind, "wrong-type"),
        message=_message(finding),
    )


def _message(finding: ErrorDetails) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in {"enum", "literal_error"}:
        return f"use one of {_choices(context['expected'])}"
    if kind == "union_tag_invalid":
        return f"use one of {_choices(context['expected_tags'])}"
    if kind == "union_tag_not_found":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a key here; remove it or mend its spelling"
    message = finding["msg"]
    return message.replace("Input should", "must", 1) if "-" not in kind else message


def _choices(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")


def _walk(location: tuple[int | str, ...], document: object) -> Iterator[int | str]:
    """Yield the parts of a location that are places in the document.

    Pydantic adds the name of the union's member it tried, and ``[key]`` for a key.
    """
    here = document
    for part in location:
        inner = _member(here, part)
        if inner is not _NOWHERE:
            here = inner
            yield part


def _member(document: object, part: int | str) -> object:
    if isinstance(document, Mapping):
        return document.get(part, _NOWHERE)
    if isinstance(document, list) and isinstance(part, int) and part < len(document):
        return document[part]
    return _NOWHERE


def field_path(parts: list[int | str]) -> str:
    """Return a location as ``structures[3].units``."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{str(part)[:100]}" if path else str(part)[:100]
    return path
