"""Bytes of meshes by their SHA-256: the way for large ones, sent again only where missing."""

import tempfile
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from api.bodies import limited
from api.openapi import BLOB_BODY, problems
from api.service import owner_of, service_of

router = APIRouter(prefix="/v1/blobs", tags=["cases"])
_OCTETS = "application/octet-stream"
_Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.put(
    "/{sha256}",
    status_code=201,
    summary="Put bytes",
    openapi_extra=BLOB_BODY,
    response_class=Response,
    responses={200: {"description": "They were there already"}, **problems(409, 413, 422)},
)
async def put_blob(request: Request, sha256: _Sha256) -> Response:
    """Keep the body under its SHA-256, for cases to name as `blob`; unnamed, it is kept a day."""
    service, owner = service_of(request), owner_of(request)
    location = {"Location": f"/v1/blobs/{sha256}"}
    body = limited(request, service.settings.max_blob_bytes)
    with tempfile.TemporaryFile() as spooled:
        async for chunk in body.stream():
            await run_in_threadpool(spooled.write, chunk)
        spooled.seek(0)
        is_new = await run_in_threadpool(service.store.put_blob, spooled, sha256, owner)
    return Response(status_code=201 if is_new else 200, headers=location)


@router.get(
    "/{sha256}",
    summary="Get bytes",
    response_class=FileResponse,
    responses={200: {"content": {_OCTETS: {}}}, **problems(404, 422)},
)
@router.head(
    "/{sha256}",
    summary="Ask whether bytes are there",
    response_class=Response,
    responses=problems(404, 422),
)
async def get_blob(request: Request, sha256: _Sha256) -> FileResponse:
    """Return bytes that were put."""
    place = await run_in_threadpool(service_of(request).store.blob, sha256, owner_of(request))
    return FileResponse(place, media_type=_OCTETS)
