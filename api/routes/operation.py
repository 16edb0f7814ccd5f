"""Whether the service lives, and whether it can work."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

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
    if not await run_in_threadpool(service.database.is_open):
        raise NotReadyError("the database does not answer")
    return {"status": "ready"}
