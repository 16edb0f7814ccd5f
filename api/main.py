"""The HTTP service: routes, problem answers and headers put together.

``python -m api.main`` writes the OpenAPI document to standard output.
"""

import gc
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import DISCLAIMER
from api.access import Access
from api.documents import dump
from api.openapi import DESCRIPTION, openapi_document
from api.problems import ANSWERS, MEDIA_TYPE, Problem, ProblemError, problem_of, problem_of_status
from api.routes import (
    anatomy,
    blobs,
    cases,
    catalogues,
    events,
    exports,
    live,
    operation,
    plans,
    samples,
    viewing,
)
from api.routes.viewer import mount_viewer
from api.service import running_service
from api.settings import Settings
from api.validation import invalid_parameters
from api.watch import Watched

_ROUTES = (
    blobs, cases, anatomy, samples, plans, viewing, events, exports, live, catalogues, operation,
)  # fmt: skip


class ResearchUseOnly:
    """Says with every answer what it must not be used for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the header to its answer."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Research-Use-Only"] = DISCLAIMER
            await send(message)

        await self._app(scope, receive, send_marked)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service; its workers start with it and stop with it."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_service(settings) as service:
            app.state.service = service
            with _short_collections():
                yield

    app = FastAPI(
        title="Trocar",
        summary=DISCLAIMER,
        description=DESCRIPTION,
        version=version("trocar"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # Nothing about a case leaves this machine: the framework's own telemetry stays off.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.add_middleware(Access, settings=settings)
    app.add_middleware(ResearchUseOnly)
    app.add_middleware(Watched)
    for kind in (*ANSWERS, ProblemError, Exception):
        app.add_exception_handler(kind, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameters)
    app.add_exception_handler(HTTPException, _on_http_error)
    for part in _ROUTES:
        app.include_router(part.router)
    mount_viewer(app)
    app.openapi = cache(lambda: openapi_document(app))  # type: ignore[method-assign]
    return app


@contextmanager
def _short_collections() -> Iterator[None]:
    """Have the garbage collector pass over what there is now, which is there to stay.

    It would walk all that was imported, for 0.1 to 0.3 s in which nobody is answered.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _on_error(_: Request, error: Exception) -> Response:
    return _reply(problem_of(error))


async def _on_invalid_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this class
    return _reply(problem_of(invalid_parameters(error.errors())))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this class
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods_of(request)))
    return _reply(problem_of_status(error.status_code, error.detail), headers)


def _methods_of(request: Request) -> set[str]:
    """Return all methods of an address; the framework names those of its first route only."""
    return {
        method.upper()
        for path, operations in request.app.openapi()["paths"].items()
        if compile_path(path)[0].match(request.url.path)
        for method in operations
    }


def _reply(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    extra: dict[str, Any] = dict(headers or {})
    if problem.answer.status in {429, 503}:
        extra.setdefault("Retry-After", "5")
    return Response(
        dump(problem.document()),
        status_code=problem.answer.status,
        media_type=MEDIA_TYPE,
        headers=extra,
    )


if __name__ == "__main__":
    sys.stdout.write(dump(create_app().openapi()))
