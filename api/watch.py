"""Around every request: an id, a line in the log, figures, and a line in the audit trail.

The audit line is written before the answer leaves, so nothing is done or shown that is not in it.
"""

import secrets
import time

import structlog
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.audit import AuditTrail, Deed
from api.logs import log
from api.metrics import Metrics

DIGEST = "trocar.digest"  # in the scope: of the case or plan that the request is about
_SUBJECTS = ("plan_id", "case_id", "sha256")
_TURNED_AWAY = frozenset({401, 403, 421, 4401, 4403, 4421})
_CHANGES = frozenset({"POST", "PUT", "DELETE"})
_ELSEWHERE = "none"  # for addresses of no route, which could be anything


class Watched:
    """Middleware around all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and see what becomes of it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id, since_s, status = secrets.token_hex(8), time.perf_counter(), 500
        service = scope["app"].state.service
        audit: AuditTrail = service.audit
        metrics: Metrics = service.metrics

        async def send_seen(message: Message) -> None:
            nonlocal status
            told = _status(message)
            if told is not None:
                status = told
                if scope["type"] == "http":
                    MutableHeaders(scope=message)["X-Request-ID"] = request_id
                deed = _deed(scope, message, status)
                if deed is not None:
                    lasting = _method(scope) in _CHANGES
                    await run_in_threadpool(audit.add, deed, lasting=lasting)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_seen)
            finally:
                took_s = time.perf_counter() - since_s
                method, route = _method(scope), _route(scope)
                metrics.answered(method, route, status, took_s)
                log().info(
                    "request", method=method, route=route, status=status,
                    took_ms=round(1e3 * took_s, 1), owner=scope.get("owner", ""),
                )  # fmt: skip


def _status(message: Message) -> int | None:
    """Return what a message says of how a request is answered, if it does."""
    kind = message["type"]
    if kind == "http.response.start":
        status: int = message["status"]
        return status
    if kind == "websocket.accept":
        return 101
    if kind == "websocket.close":
        code: int = message.get("code", 1000)
        return code
    return None


def _deed(scope: Scope, message: Message, status: int) -> Deed | None:
    """Return what the trail is told: of cases, plans and blobs, and of who had to stay out."""
    did = f"{_method(scope)} {_route(scope)}"
    if status in _TURNED_AWAY:
        return Deed(who="nobody", did=did, status=status)
    named = scope.get("path_params", {})
    subject = next((named[name] for name in _SUBJECTS if name in named), "")
    made = Headers(raw=message.get("headers", [])).get("location", "").rpartition("/")[2]
    if not subject and not made:
        return None
    known = status < 400 or status >= 1000
    return Deed(
        who=scope.get("owner", "local"),
        did=did,
        subject=(made or subject) if known else "",  # what is not known could be anything
        digest=scope.get(DIGEST, ""),
        status=status,
    )


def _method(scope: Scope) -> str:
    method: str = scope.get("method", "WEBSOCKET")
    return method


def _route(scope: Scope) -> str:
    """Return the route's template, in which there is nothing of a client's."""
    return getattr(scope.get("route"), "path", _ELSEWHERE)
