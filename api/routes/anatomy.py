"""Pictures of what was read of a case: one per level."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from api.level_pictures import bone_of_level, level_png, picture_tag
from api.openapi import problems
from api.service import case_of, service_of

router = APIRouter(prefix="/v1/cases", tags=["cases"])


@router.get(
    "/{case_id}/levels/{level}.png",
    summary="Draw what was read of one level",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}},
        304: {"description": "The picture is the one that the client has"},
        **problems(404, 429, 503),
    },
)
async def level_picture(
    request: Request,
    case_id: str,
    level: str,
    if_none_match: Annotated[str, Header(max_length=2000)] = "",
) -> Response:
    """Return frame, body, isthmuses, gates and what metal leaves free of a vertebra or of S1."""
    service = service_of(request)
    stored = await case_of(request, case_id)
    bone = bone_of_level(stored.description, level)
    tag = picture_tag(stored.description["digest"], level)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in if_none_match or if_none_match.strip() == "*":
        return Response(status_code=304, headers=headers)
    folder = await service.folder_of(case_id)
    png = await service.workers.run(case_id, level_png, folder, bone)
    return Response(png, media_type="image/png", headers=headers)
