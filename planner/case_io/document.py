"""From the text of case.json to a checked document; a mistake is named by its field."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from pydantic import ValidationError

from planner.case_io.schema import CHOICES, MODELS, CaseDocument
from planner.errors import CaseError

_CODES = {
    "missing": "missing-field",
    "extra_forbidden": "unknown-field",
    "finite_number": "non-finite",
    "string_pattern_mismatch": "wrong-form",
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than_equal": "out-of-range",
    "too_short": "wrong-length",
    "too_long": "wrong-length",
    "string_too_short": "wrong-length",
    "string_too_long": "wrong-length",
}


class _DuplicateKeyError(ValueError):
    pass


class _NonFiniteError(ValueError):
    pass


def parsed_text(text: bytes) -> Mapping[str, Any]:
    """Return the object that a case.json holds.

    Raises:
        CaseError: ``malformed-json`` with line and column, ``non-finite`` or ``duplicate-key``.
    """
    try:
        document = json.loads(
            text.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_duplicates,
        )
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} in line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except _DuplicateKeyError as error:
        raise CaseError(
            f"case.json has the key {error} twice in one object; keep one of them",
            field="case.json", code="duplicate-key",
        ) from None  # fmt: skip
    except _NonFiniteError as error:
        raise CaseError(
            f"case.json holds {error}, which is no JSON number; every number must be finite",
            field="case.json", code="non-finite",
        ) from None  # fmt: skip
    except ValueError as error:  # such as an integer of more digits than Python converts
        raise _malformed(str(error)) from None
    if not isinstance(document, dict):
        raise _malformed("it must be an object in braces")
    return document


def checked_document(document: Mapping[str, Any]) -> CaseDocument:
    """Return the document with every field checked.

    Raises:
        CaseError: For the first mistake, with its field and the valid choices.
    """
    try:
        checked = CaseDocument.model_validate(dict(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _named(first["loc"], first["type"], first["msg"], error.error_count()) from None
    seen: dict[str, int] = {}
    for index, structure in enumerate(checked.structures):
        if structure.name in seen:
            raise CaseError(
                f"structures[{index}].name: {structure.name!r} is also the name of "
                f"structures[{seen[structure.name]}]; names must differ",
                field=f"structures[{index}].name", code="duplicate-name",
            )  # fmt: skip
        seen[structure.name] = index
    return checked


def field_path(location: Iterable[int | str]) -> str:
    """Return a place in the document such as ``structures[3].kind``."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else part
    return path


def _named(location: tuple[int | str, ...], kind: str, message: str, count: int) -> CaseError:
    path = field_path(location)
    last = str(location[-1]) if location else ""
    if kind == "missing":
        choices = CHOICES.get(last)
        message = "is required" + (f": one of {', '.join(choices)}" if choices else "")
    elif kind == "extra_forbidden":
        message = f"is not a known field; known are {', '.join(_siblings(location))}"
    more = f" ({count - 1} more mistakes after this one)" if count > 1 else ""
    field = path or "case.json"
    return CaseError(
        f"{field}: {message[:1].lower()}{message[1:]}{more}",
        field=field,
        code=_CODES.get(kind, kind if "-" in kind else "wrong-type"),
    )


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    names = [part for part in location[:-1] if isinstance(part, str)]
    section = names[0] if names[:1] in (["findings"], ["landmarks"]) else ".".join(names)
    model = MODELS.get(section, CaseDocument)
    return [field.alias or name for name, field in model.model_fields.items()]


def _malformed(reason: str) -> CaseError:
    return CaseError(
        f"case.json cannot be read: {reason}", field="case.json", code="malformed-json"
    )


def _refuse_constant(constant: str) -> NoReturn:
    raise _NonFiniteError(constant)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(repr(next(key for key in keys if keys.count(key) > 1)[:60]))
    return found
