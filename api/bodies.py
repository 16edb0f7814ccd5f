"""Reading request bodies: of the right type, never longer than allowed, never repeated back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import JsonValue
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from api.problems import BodyTooLargeError, MalformedBodyError, UnsupportedMediaTypeError
from api.storage.bundle import CaseBundle
from api.strict_json import parsed_object

JSON = "application/json"
MULTIPART = "multipart/form-data"
# A body that is too long is let run out for a while, or the client would never read the answer.
_DRAIN_S = 5.0
_MOST_FILES = 1000


def media_type(request: Request, *allowed: str) -> str:
    """Return the type of the body.

    Raises:
        UnsupportedMediaTypeError: If it is none of ``allowed``.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given in allowed:
        return given
    raise UnsupportedMediaTypeError(
        f"must be {' or '.join(allowed)}", field="Content-Type", code="unsupported-media-type"
    )


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLargeError: If it is longer than ``limit`` bytes.
    """
    return await limited(request, limit).body()


async def read_json_object(request: Request, limit: int) -> dict[str, JsonValue]:
    """Return the JSON object in the body.

    Raises:
        UnsupportedMediaTypeError: If the body is not declared to be JSON.
        BodyTooLargeError: If it is longer than ``limit`` bytes.
        MalformedBodyError: If it is not a JSON object.
    """
    media_type(request, JSON)
    return await run_in_threadpool(parsed_object, await read_body(request, limit))


@asynccontextmanager
async def read_multipart_case(request: Request, limit: int) -> AsyncIterator[CaseBundle]:
    """Yield the case in a multipart body: part ``case``, and one part per mesh file.

    Raises:
        BodyTooLargeError: If the body is longer than ``limit`` bytes.
        MalformedBodyError: If it is no multipart body, or not of these parts.
    """
    try:
        form = await limited(request, limit).form(
            max_files=_MOST_FILES, max_fields=_MOST_FILES, max_part_size=limit
        )
    except HTTPException as error:
        raise MalformedBodyError(
            f"is not multipart/form-data as it says: {error.detail}",
            field="body", code="malformed-multipart",
        ) from error  # fmt: skip
    try:
        yield await _bundle(form)
    finally:
        await form.close()


async def _bundle(form: FormData) -> CaseBundle:
    document: bytes | None = None
    files = {}
    for name, part in form.multi_items():
        if name == "case" and document is None:
            document = await part.read() if isinstance(part, UploadFile) else part.encode()
        elif name in files or name == "case":
            raise MalformedBodyError("comes twice", field=name[:200], code="duplicate-part")
        elif isinstance(part, UploadFile):
            files[name] = part.file
        else:
            raise MalformedBodyError(
                "must be sent as a file, with a filename in its Content-Disposition",
                field=name[:200], code="not-a-file",
            )  # fmt: skip
    if document is None:
        raise MalformedBodyError(
            "is required: the case.json of the bundle", field="case", code="missing"
        )
    return CaseBundle(document=document, files=files)


def limited(request: Request, limit: int) -> Request:
    """Return the same request, whose body cannot be read beyond ``limit`` bytes."""
    declared = request.headers.get("content-length", "")
    return Request(request.scope, _counting(request.receive, limit, declared))


def _counting(receive: Receive, limit: int, declared: str) -> Receive:
    read = int(declared) if declared.isdecimal() and int(declared) > limit else 0

    async def counted() -> Message:
        nonlocal read
        if read > limit:
            await _drain(receive)
            raise _too_large(limit)
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            if message.get("more_body", False):
                await _drain(receive)
            raise _too_large(limit)
        return message

    return counted


async def _drain(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_DRAIN_S):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"is longer than the {limit} bytes that are read here", field="body", code="body-too-large"
    )
