"""How a plan is getting on, as server-sent events; see docs/service.md."""

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.dispatcher import happens
from api.openapi import problems
from api.problems import UnknownIdError
from api.service import Service, owner_of, plan_of, service_of
from api.storage.ledger import OPEN

router = APIRouter(prefix="/v1/plans", tags=["plans"])
_STILL_HERE_S = 15.0  # proxies close what is silent for long


@router.get(
    "/{plan_id}/events",
    summary="Follow a plan",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **problems(404)},
)
async def follow_plan(request: Request, plan_id: str) -> StreamingResponse:
    """Stream what happens to a plan until it is settled; `Last-Event-ID` resumes."""
    service, owner = service_of(request), owner_of(request)
    await plan_of(request, plan_id)
    last = request.headers.get("last-event-id", "")
    after = int(last) if last.isdecimal() and len(last) < 10 else 0
    return StreamingResponse(
        _told(service, plan_id, owner, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(service: Service, plan_id: str, owner: str, after: int) -> AsyncIterator[str]:
    dispatcher, said = service.dispatcher, None
    while True:
        happened = dispatcher.watch(plan_id)  # before reading, so that nothing is missed
        try:
            plan = await run_in_threadpool(service.ledger.plan, plan_id, owner)
        except UnknownIdError:
            return
        for event in await run_in_threadpool(service.ledger.events, plan_id, after):
            after = event.sequence
            told = {"state": event.state.value, "at": event.at, "workers_lost": event.attempt}
            yield _event("state", told, after)
        if plan.state not in OPEN:
            return
        progress = dispatcher.progress.get(plan_id)
        if progress is not None and progress != said:
            said = progress
            yield _event("progress", {"stage": progress.stage, "share": progress.share})
        await happens(happened, _STILL_HERE_S)
        if not happened.is_set():
            yield ": still here\n\n"


def _event(name: str, told: dict[str, Any], sequence: int | None = None) -> str:
    """Return one event; those with a number can be resumed after."""
    number = "" if sequence is None else f"id: {sequence}\n"
    return f"event: {name}\n{number}data: {json.dumps(told)}\n\n"
