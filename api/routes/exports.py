"""A plan for other programs."""

import json

from fastapi import APIRouter, Request, Response

from api.documents import dump
from api.markups import MEDIA_TYPE, markups_document
from api.openapi import problems
from api.routes.plans import answered
from api.service import plan_of

router = APIRouter(prefix="/v1", tags=["plans"])


@router.get(
    "/plans/{plan_id}/markups.mrk.json",
    summary="Fetch a plan's paths for 3D Slicer",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}}, **problems(404, 409)},
)
async def markups(request: Request, plan_id: str) -> Response:
    """Return the paths as Slicer markups: lines, and curves where a needle is curved."""
    plan = await plan_of(request, plan_id)
    return Response(dump(markups_document(json.loads(answered(plan)))), media_type=MEDIA_TYPE)
