"""Who may enter, decided before anything of a request's body is read.

Where there are keys, or a provider's tokens are taken, whoever wants anything under ``/v1`` or the
figures shows one. Where there are none the
service is for this machine alone: then it answers only to the machine's own names, so that no page
can reach it under another. Pages of other origins are turned away in either case, and so is who
asks too often.
"""

import math
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.documents import dump
from api.keys import FILE, KeyRing
from api.oidc import TokenReader
from api.problems import (
    MEDIA_TYPE,
    ForeignHostError,
    ForeignOriginError,
    TooOftenError,
    UnauthenticatedError,
    problem_of,
)
from api.rates import Rates
from api.settings import Settings

BEARER = "bearer."  # of a WebSocket's subprotocol: browsers let it carry nothing else
METRICS = "/metrics"
_CLOSE_CODES = 4000
_ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What is about a case is nobody's to keep on the way, and never a page.
_CASE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "script-src 'none'; frame-ancestors 'none'",
}


def key_ring(settings: Settings) -> KeyRing | None:
    """Return the keys of a service that keeps what it is given; another has none."""
    return None if settings.data_folder is None else KeyRing(settings.data_folder / FILE)


class Access:
    """Middleware: lets in whoever may enter, says who they are, and how answers may be used."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._hosts = app, settings.hosts
        self._ring = key_ring(settings)
        self._has_keys = False
        self._tokens = TokenReader(settings) if settings.takes_tokens else None
        self._rates = Rates(settings.requests_per_s, settings.requests_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its ``owner``, or turn it away."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            owner = await self._owner(scope)
            if owner is not None:
                scope["owner"] = owner
            self._require_room(scope)
        except (
            ForeignHostError, ForeignOriginError, TooOftenError, UnauthenticatedError,
        ) as error:  # fmt: skip
            await _turn_away(scope, _marked(scope, send), error)
            return
        await self._app(scope, receive, _marked(scope, send))

    def _require_room(self, scope: Scope) -> None:
        """Refuse who asks too often, but never the question whether the service lives.

        Raises:
            TooOftenError: If it is so.
        """
        if scope["path"] not in _ALWAYS_ANSWERED:
            client = scope.get("client") or ("",)
            wait_s = self._rates.wait_s(scope.get("owner") or f"at {client[0]}")
            if wait_s > 0.0:
                raise TooOftenError(wait_s)

    async def _owner(self, scope: Scope) -> str | None:
        """Return who asks, or None where nobody has to say.

        Raises:
            ForeignHostError: If the service is called by a name that is not this machine's.
            ForeignOriginError: If the page of another origin asks.
            UnauthenticatedError: If a key is needed and none that is good was shown.
        """
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise ForeignOriginError("pages of other origins may not ask here")
        # Once there were keys they are asked for, also when their file has gone.
        self._has_keys = self._has_keys or bool(self._ring and self._ring.all())
        if not self._has_keys and self._tokens is None:
            if _without_port(host) not in self._hosts:
                raise ForeignHostError(
                    "without keys the service answers on this machine only, as localhost; make a "
                    "key with `trocar keys add`, or name the host in TROCAR_HOSTS"
                )
            return None
        if not scope["path"].startswith("/v1/") and scope["path"] != METRICS:
            return None
        shown = _shown(scope, headers)
        owner = self._ring.owner_of(shown) if self._ring is not None else None
        if owner is None and self._tokens is not None:
            owner = await self._tokens.owner_of(shown)
        if owner is None:
            self._require_room(scope)  # so that keys cannot be tried out by the million
            raise UnauthenticatedError("send a key as `Authorization: Bearer KEY`")
        return owner


def _shown(scope: Scope, headers: Headers) -> str:
    """Return the key that a request shows, or nothing."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    offered = [p for p in scope.get("subprotocols", ()) if p.startswith(BEARER)]
    return offered[0].removeprefix(BEARER) if offered else ""


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _marked(scope: Scope, send: Send) -> Send:
    """Return ``send``, with the headers that go with every answer."""
    extra = {**_HEADERS, **(_CASE_HEADERS if scope["path"].startswith("/v1/") else {})}

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in extra.items():
                headers.setdefault(name, value)
        await send(message)

    return send_marked


async def _turn_away(scope: Scope, send: Send, error: Exception) -> None:
    problem = problem_of(error)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _CLOSE_CODES + problem.answer.status})
        return
    body = dump(problem.document()).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if isinstance(error, UnauthenticatedError):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, TooOftenError):
        headers.append((b"retry-after", str(math.ceil(error.wait_s)).encode()))
    status = problem.answer.status
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
