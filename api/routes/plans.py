"""Plans: asking for one, reading, drawing and proving it, and measuring a path somebody drew."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import JSONResponse

from api import work
from api.bodies import JSON, media_type, read_body, read_json_object
from api.drawing import scene_page_policy
from api.fluoro import FluoroRequest, fluoro_png
from api.openapi import (
    json_body,
    plan_reply,
    problems,
    profile_reply,
    state_reply,
    trajectory_reply,
)
from api.problems import MEDIA_TYPE, AlreadySettledError, PlanNotDoneError, SeveralPlansError
from api.profiles import ProfileDocument, profile_of
from api.schemas import EvaluationDocument, OneShotDocument, PlanRequestDocument, checked
from api.service import case_of, owner_of, plan_of, service_of
from api.session_schemas import SessionRequestDocument, asked_plan, require_targets
from api.storage.ledger import OPEN, State, StoredPlan
from api.targets import require_target

router = APIRouter(prefix="/v1", tags=["plans"])
_Primary = Annotated[float | None, Query(ge=-180.0, le=180.0, allow_inf_nan=False)]
_Secondary = Annotated[float | None, Query(ge=-90.0, le=90.0, allow_inf_nan=False)]
_MOST_RANK = 1000  # above what any plan holds, and a number that crosses to a worker
_Rank = Annotated[int, Query(ge=1, le=_MOST_RANK)]
_RankInPath = Annotated[int, InPath(ge=1, le=_MOST_RANK)]
_CArmName = Annotated[str | None, Query(max_length=100)]
STATE_SCHEMA = "trocar/plan-state/1"
_PREFERRED_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)


@router.post(
    "/plan",
    summary="Plan once",
    openapi_extra=json_body(OneShotDocument),
    responses={200: plan_reply(), **problems(400, 413, 415, 422, 429, 503)},
)
async def plan_once(request: Request) -> Response:
    """Plan for a case in the same body; neither the case nor the plan is kept."""
    service = service_of(request)
    media_type(request, JSON)
    body = await read_body(request, service.settings.max_json_bytes)
    return _json(await service.workers.run("", work.plan_once, body, service.limits))


@router.post(
    "/cases/{case_id}/plans",
    status_code=202,
    summary="Ask for a plan",
    openapi_extra=json_body(PlanRequestDocument, SessionRequestDocument, prefer_wait=True),
    responses={200: plan_reply("Session"), 202: state_reply(),
               **problems(400, 404, 413, 415, 422, 429, 503)},
)  # fmt: skip
async def ask_for_plan(request: Request, case_id: str) -> Response:
    """Start planning; with ``Prefer: wait=N`` the plan itself if it is there within N seconds."""
    service, stored_case = service_of(request), await case_of(request, case_id)
    document = await read_json_object(request, service.settings.max_request_bytes)
    asked = asked_plan(document)
    require_targets(asked, stored_case.description["structures"])
    plan = await service.ask(case_id, asked)
    headers = {"Location": f"/v1/plans/{plan.plan_id}"}
    wait_s = min(_preferred_wait_s(request), service.settings.max_wait_s)
    if wait_s > 0.0:
        plan = await service.dispatcher.settled(plan.plan_id, owner_of(request), wait_s)
        headers["Preference-Applied"] = f"wait={wait_s:g}"
    if plan.state is State.DONE:
        return _json(plan.answer or "", headers=headers)
    if plan.state is State.FAILED:
        problem = json.loads(plan.answer or "{}")
        return Response(
            plan.answer, status_code=problem["status"], media_type=MEDIA_TYPE, headers=headers
        )
    return JSONResponse(_state(plan), status_code=202, headers={**headers, "Retry-After": "1"})


@router.get(
    "/plans/{plan_id}",
    summary="Read a plan or its state",
    responses={200: plan_reply("Session", "PlanState"), **problems(404)},
)
async def read_plan(request: Request, plan_id: str) -> Response:
    """Return the plan once it is made, and before that how far it is."""
    plan = await plan_of(request, plan_id)
    if plan.state is State.DONE:
        return _json(plan.answer or "")
    return JSONResponse(_state(plan), headers={"Retry-After": "1"} if plan.state in OPEN else {})


@router.delete(
    "/plans/{plan_id}",
    summary="Cancel a plan",
    responses={200: state_reply(), **problems(404, 409)},
)
async def cancel_plan(request: Request, plan_id: str) -> JSONResponse:
    """End the work on a plan; one that is done stays, and goes with its case."""
    plan = await service_of(request).cancel(plan_id, owner_of(request))
    if plan.state is not State.CANCELLED:
        raise AlreadySettledError(
            f"is {plan.state} already", field="plan_id", code="already-settled"
        )
    return JSONResponse(_state(plan))


@router.get(
    "/plans/{plan_id}/preview.png",
    summary="Draw a plan",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(404, 409, 503)},
)
async def preview(request: Request, plan_id: str) -> Response:
    """Return a picture of the plan in its anatomy."""
    return Response(await _drawn(request, plan_id, "preview.png"), media_type="image/png")


@router.get(
    "/plans/{plan_id}/scene.glb",
    summary="Fetch a plan as a 3-D scene",
    response_class=Response,
    responses={200: {"content": {"model/gltf-binary": {}}}, **problems(404, 409, 503)},
)
async def scene(request: Request, plan_id: str) -> Response:
    """Return the plan in its anatomy as binary glTF."""
    return Response(await _drawn(request, plan_id, "scene.glb"), media_type="model/gltf-binary")


@router.get(
    "/plans/{plan_id}/scene.html",
    summary="Look at a plan in 3-D",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}, **problems(404, 409, 503)},
)
async def scene_page(request: Request, plan_id: str) -> Response:
    """Return a page that shows the plan in its anatomy; it carries all it needs."""
    page = await _drawn(request, plan_id, "scene.html")
    headers = {"Content-Security-Policy": scene_page_policy()}
    return Response(page, media_type="text/html", headers=headers)


@router.get(
    "/plans/{plan_id}/sheet.pdf",
    summary="Print a plan on one page",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}, **problems(404, 409, 422, 429, 503)},
)
async def sheet(request: Request, plan_id: str, rank: _Rank = 1) -> Response:
    """Return the page for the angiography suite, of the first trajectory if no other is named.

    Of a session, a page for every needle that was chosen.
    """
    pdf = await _of_plan(request, plan_id, partial(work.sheet, rank=rank), settled)
    return Response(pdf, media_type="application/pdf")


@router.get(
    "/plans/{plan_id}/trajectories/{rank}/fluoro.png",
    summary="Simulate a fluoroscopic view",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(404, 409, 422, 429, 503)},
)
async def fluoro(
    request: Request,
    plan_id: str,
    rank: _RankInPath,
    primary_deg: _Primary = None,
    secondary_deg: _Secondary = None,
    c_arm: _CArmName = None,
) -> Response:
    """Return one needle as X-rays would show it; down its barrel where no angles are given."""
    asked = FluoroRequest(
        rank=rank, primary_deg=primary_deg, secondary_deg=secondary_deg, c_arm=c_arm
    )
    png = await _of_plan(request, plan_id, partial(fluoro_png, asked=asked))
    return Response(png, media_type="image/png")


@router.get(
    "/plans/{plan_id}/proof",
    summary="Fetch the proof of a plan",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}, **problems(404, 409, 429, 503)},
)
async def proof(request: Request, plan_id: str) -> Response:
    """Return what `trocar verify-proof` checks, zipped; it is made by planning again."""
    return Response(await _of_plan(request, plan_id, work.proved), media_type="application/zip")


@router.post(
    "/cases/{case_id}/evaluate",
    summary="Measure a path that somebody drew",
    openapi_extra=json_body(EvaluationDocument),
    responses={200: trajectory_reply(), **problems(400, 404, 413, 415, 422, 429, 503)},
)
async def evaluate(request: Request, case_id: str) -> Response:
    """Measure the path as it is, negative margins included."""
    service, stored = service_of(request), await case_of(request, case_id)
    document = await read_json_object(request, service.settings.max_request_bytes)
    asked = checked(EvaluationDocument, document)
    if asked.target is not None:
        require_target(asked.target, stored.description["structures"])
    folder = await service.folder_of(case_id)
    return _json(await service.workers.run(case_id, work.evaluate_case, folder, asked))


@router.post(
    "/cases/{case_id}/profile",
    summary="Measure how near everything comes along a path",
    openapi_extra=json_body(ProfileDocument),
    responses={200: profile_reply(), **problems(400, 404, 413, 415, 422, 429, 503)},
)
async def profile(request: Request, case_id: str) -> Response:
    """Measure every stretch of a path against every structure, for a plot against depth."""
    service = service_of(request)
    await case_of(request, case_id)
    document = await read_json_object(request, service.settings.max_request_bytes)
    asked = checked(ProfileDocument, document)
    folder = await service.folder_of(case_id)
    return _json(await service.workers.run(case_id, profile_of, folder, asked))


def answered(plan: StoredPlan) -> str:
    """Return the plan's document.

    Raises:
        PlanNotDoneError: If it is not made yet.
        SeveralPlansError: If it is for several targets.
    """
    if "targets" in plan.request:
        raise SeveralPlansError(
            "is for several targets; ask for a plan of each target that is to be shown",
            field="plan_id", code="several-plans",
        )  # fmt: skip
    return settled(plan)


def settled(plan: StoredPlan) -> str:
    """Return the document of a plan or session.

    Raises:
        PlanNotDoneError: If it is not made yet.
    """
    if plan.state is not State.DONE or plan.answer is None:
        raise PlanNotDoneError(
            f"is {plan.state}, so there is nothing to show yet", field="plan_id", code="not-done"
        )
    return plan.answer


async def _drawn(request: Request, plan_id: str, file_name: str) -> bytes:
    return await _of_plan(request, plan_id, partial(work.drawn, file_name=file_name))


async def _of_plan(
    request: Request,
    plan_id: str,
    make: Callable[[Path, Mapping[str, Any], str], bytes],
    answer_of: Callable[[StoredPlan], str] = answered,
) -> bytes:
    """Return what a worker makes of a plan that is done; one for one target, unless told."""
    service, plan = service_of(request), await plan_of(request, plan_id)
    answer = answer_of(plan)
    folder: Path = await service.folder_of(plan.case_id)
    return await service.workers.run(plan.case_id, make, folder, plan.request, answer)


def _state(plan: StoredPlan) -> dict[str, Any]:
    return {
        "schema": STATE_SCHEMA,
        "plan_id": plan.plan_id,
        "case_id": plan.case_id,
        "created": plan.created,
        "state": plan.state.value,
        "problem": None if plan.answer is None else json.loads(plan.answer),
    }


def _preferred_wait_s(request: Request) -> float:
    """Return N of ``Prefer: wait=N`` (RFC 7240), or 0; what cannot be read is ignored."""
    found = _PREFERRED_WAIT.search(request.headers.get("prefer", ""))
    return float(found.group(1)) if found else 0.0


def _json(text: str, *, headers: dict[str, str] | None = None) -> Response:
    return Response(text, media_type=JSON, headers=headers)
