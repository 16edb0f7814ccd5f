"""Cases: handing one in, listing, reading, fetching its meshes, deleting it."""

import base64
import binascii
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api import work
from api.bodies import JSON, MULTIPART, media_type, read_body, read_multipart_case
from api.level_pictures import with_pictures
from api.openapi import CASE_BODIES, case_reply, problems
from api.problems import MalformedBodyError, UnknownIdError
from api.service import case_of, owner_of, service_of
from api.storage.bundle import CaseBundle
from api.storage.store import StoredCase
from api.watch import DIGEST

router = APIRouter(prefix="/v1/cases", tags=["cases"])
_MOST_LISTED = 200
_MOST_CASES = 2**31  # the database counts no further


class MeshFormat(StrEnum):
    """What a mesh can be fetched as."""

    PLY = "ply"
    STL = "stl"
    GLB = "glb"


_MEDIA_TYPES = {
    MeshFormat.PLY: "model/ply",
    MeshFormat.STL: "model/stl",
    MeshFormat.GLB: "model/gltf-binary",
}


@router.post(
    "",
    status_code=201,
    summary="Hand in a case",
    openapi_extra=CASE_BODIES,
    responses={201: case_reply("The case, checked, with what was found in it"),
               **problems(400, 413, 415, 422, 429)},
)  # fmt: skip
async def hand_in(request: Request) -> JSONResponse:
    """Check and keep a case: JSON with inline geometry, or multipart with its mesh files."""
    service = service_of(request)
    if media_type(request, JSON, MULTIPART) == JSON:
        body = await read_body(request, service.settings.max_json_bytes)
        stored = await service.accept_case(CaseBundle(document=body), owner_of(request))
    else:
        async with read_multipart_case(request, service.settings.max_case_bytes) as bundle:
            stored = await service.accept_case(bundle, owner_of(request))
    return created(request, stored)


@router.get("", summary="List cases", responses=problems(400))
async def list_cases(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 50,
    cursor: Annotated[str, Query(max_length=100)] = "",
) -> dict[str, Any]:
    """List cases, oldest first; ``next_cursor`` fetches the next page and is null on the last."""
    store = service_of(request).store
    found = await run_in_threadpool(
        store.cases, owner_of(request), after=_number(cursor), limit=limit + 1
    )
    page = found[:limit]
    return {
        "cases": [_summary(case) for case in page],
        "next_cursor": _cursor(page[-1].number) if len(found) > limit else None,
    }


@router.get(
    "/{case_id}", summary="Read a case", responses={200: case_reply("The case"), **problems(404)}
)
async def read_case(request: Request, case_id: str) -> JSONResponse:
    """Return a case with its digest, its derived anatomy, findings and warnings."""
    stored = await case_of(request, case_id)
    return JSONResponse(_described(stored))


@router.delete(
    "/{case_id}", status_code=204, summary="Delete a case and its plans", responses=problems(404)
)
async def delete_case(request: Request, case_id: str) -> Response:
    """Remove a case, its files and every plan made for it."""
    await case_of(request, case_id)
    await service_of(request).delete_case(case_id, owner_of(request))
    return Response(status_code=204)


@router.get(
    "/{case_id}/structures/{name}.{mesh_format}",
    summary="Fetch one mesh",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _MEDIA_TYPES.values()}},
               **problems(404, 422)},
)  # fmt: skip
async def structure_mesh(
    request: Request, case_id: str, name: str, mesh_format: MeshFormat
) -> Response:
    """Return a structure as it is measured: checked and mended, patient LPS, millimetres."""
    service, stored = service_of(request), await case_of(request, case_id)
    _require_structure(stored, name)
    mesh = await service.workers.run(
        case_id, work.structure_bytes, await service.folder_of(case_id), name, mesh_format.value
    )
    return Response(mesh, media_type=_MEDIA_TYPES[mesh_format])


def _require_structure(stored: StoredCase, name: str) -> None:
    given, derived = stored.description["structures"], stored.description.get("derived", {})
    names = [one["name"] for one in (*given, *derived.get("structures", ()))]
    if name not in names:
        raise UnknownIdError(
            f"is not a structure of this case; it has: {', '.join(names)}",
            field="name", code="unknown-structure",
        )  # fmt: skip


def created(request: Request, stored: StoredCase) -> JSONResponse:
    """Return the answer to a case that was accepted: what was found in it, and where it is."""
    request.scope[DIGEST] = stored.description["digest"]
    return JSONResponse(
        _described(stored), status_code=201, headers={"Location": f"/v1/cases/{stored.case_id}"}
    )


def _described(stored: StoredCase) -> dict[str, Any]:
    described = with_pictures(stored.case_id, stored.description)
    return {"case_id": stored.case_id, "created": stored.created, **described}


def _summary(stored: StoredCase) -> dict[str, Any]:
    return {
        "case_id": stored.case_id,
        "created": stored.created,
        "name": stored.description["name"],
        "digest": stored.description["digest"],
        "structures": len(stored.description["structures"]),
    }


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def _number(cursor: str) -> int:
    try:
        number = int(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True) or b"0")
    except (ValueError, binascii.Error) as error:
        raise _bad_cursor() from error
    if not 0 <= number < _MOST_CASES:
        raise _bad_cursor()
    return number


def _bad_cursor() -> MalformedBodyError:
    return MalformedBodyError(
        "is not a cursor of this service; take next_cursor from the page before",
        field="cursor", code="bad-cursor",
    )  # fmt: skip
