"""Whether the service lives, whether it can work, and figures of how it does."""

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.metrics import CONTENT_TYPE
from api.openapi import problems
from api.problems import NotReadyError
from api.service import service_of

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Is it alive?")
async def healthz() -> dict[str, str]:
    """Answer as long as the service answers at all."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it work?", responses=problems(503))
async def readyz(request: Request) -> dict[str, str]:
    """Answer once the workers are up and the store can be read."""
    service = service_of(request)
    if not service.workers.ready:
        raise NotReadyError("the workers are still starting")
    if not service.dispatcher.is_working:
        raise NotReadyError("plans are not being taken up")
    if not service.engine.is_ready():
        raise NotReadyError("no node of the cluster is there to make plans")
    if not await run_in_threadpool(service.database.is_open):
        raise NotReadyError("the database does not answer")
    return {"status": "ready"}


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE: {}}}},
)
async def metrics(request: Request) -> Response:
    """Return requests, plans by state, waiting jobs and times; nothing of any case."""
    service = service_of(request)
    plans = await run_in_threadpool(service.ledger.counts)
    oldest_s = await run_in_threadpool(service.ledger.oldest_queued_s)
    text = service.metrics.text(plans, service.workers.waiting, oldest_s)
    return Response(text, media_type=CONTENT_TYPE)
