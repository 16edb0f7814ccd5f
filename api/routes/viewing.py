"""What a reader looks at beside plans: the skin by its best margins, a drawn path's picture."""

from fastapi import APIRouter, Request, Response

from api.bodies import JSON, read_json_object
from api.fluoro import DrawnFluoroDocument, fluoro_of_drawn
from api.openapi import json_body, problems
from api.schemas import checked
from api.service import case_of, service_of
from api.skin_maps import SKIN_MAP, SkinMapDocument, skin_map_of
from api.targets import require_target

router = APIRouter(prefix="/v1/cases", tags=["viewing"])


@router.post(
    "/{case_id}/skin-map",
    summary="Find the best margin from each place of the skin",
    openapi_extra=json_body(SkinMapDocument),
    responses={
        200: {"description": "The map", "content": {JSON: {"schema": SKIN_MAP}}},
        **problems(400, 404, 413, 415, 422, 429, 503),
    },
)
async def skin_map(request: Request, case_id: str) -> Response:
    """Try paths from all over the skin; every margin is that of the path it comes with."""
    service = service_of(request)
    stored = await case_of(request, case_id)
    document = await read_json_object(request, service.settings.max_request_bytes)
    asked = checked(SkinMapDocument, document)
    require_target(asked.target, stored.description["structures"])
    folder = await service.folder_of(case_id)
    found = await service.workers.run(case_id, skin_map_of, folder, asked)
    return Response(found, media_type=JSON)


@router.post(
    "/{case_id}/fluoro.png",
    summary="Simulate a fluoroscopic view of a path that somebody drew",
    response_class=Response,
    openapi_extra=json_body(DrawnFluoroDocument),
    responses={
        200: {"content": {"image/png": {}}},
        **problems(400, 404, 413, 415, 422, 429, 503),
    },
)
async def drawn_fluoro(request: Request, case_id: str) -> Response:
    """Return a drawn path as X-rays would show it."""
    service = service_of(request)
    stored = await case_of(request, case_id)
    document = await read_json_object(request, service.settings.max_request_bytes)
    asked = checked(DrawnFluoroDocument, document)
    if asked.target is not None:
        require_target(asked.target, stored.description["structures"])
    folder = await service.folder_of(case_id)
    png = await service.workers.run(case_id, fluoro_of_drawn, folder, asked)
    return Response(png, media_type="image/png")
