"""Replanning while a target is dragged, over a WebSocket; see docs/service.md for the messages."""

import asyncio
from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, WebSocket
from fastapi.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from api.access import BEARER
from api.documents import dump
from api.live_work import follow
from api.problems import ANSWERS, problem_of
from api.service import Service, case_of, service_of
from api.workers import Worker

router = APIRouter()
_TAKING_S = 30.0  # a client that takes an answer no sooner has lost its worker
_GONE_S = 5.0  # a worker that has not let go of its client by then is ended
_CLOSE_CODES = 4000  # plus the status of the problem; RFC 6455 leaves these to applications


@router.websocket("/v1/cases/{case_id}/live")
async def live(socket: WebSocket, case_id: str) -> None:
    """Answer the newest place of a dragged target; preview only, nothing is kept."""
    service = service_of(socket)
    offered = socket.scope.get("subprotocols", ())
    await socket.accept(next((p for p in offered if p.startswith(BEARER)), None))
    try:
        await case_of(socket, case_id)
        async with service.live.turn(case_id) as worker:
            await _converse(socket, service, worker, case_id)
    except WebSocketDisconnect:
        return
    except tuple(ANSWERS) as error:
        problem = problem_of(error)
        await socket.send_text(dump({"type": "problem", "id": None, "problem": problem.document()}))
        await socket.close(_CLOSE_CODES + problem.answer.status)


async def _converse(socket: WebSocket, service: Service, worker: Worker, case_id: str) -> None:
    """Pass messages both ways until the client goes or falls silent; leave the worker free."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()

    def heard(text: str) -> None:
        # The worker waits until the client has taken it: a slow client slows only itself.
        asyncio.run_coroutine_threadsafe(socket.send_text(text), loop).result(_TAKING_S)
        loop.call_soon_threadsafe(ready.set)

    async def hear() -> None:
        await ready.wait()
        await _hear(socket, worker.tell, service.settings.live_idle_s)

    folder = await service.folder_of(case_id)
    working = asyncio.create_task(worker.converse(heard, follow, folder))
    hearing = asyncio.create_task(hear())
    try:
        await asyncio.wait({working, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hearing.cancel()
        # Also where this request is cancelled, the worker is to end well, with the case at hand.
        await asyncio.shield(_let_go(worker, working))
    if (error := working.exception()) is not None:
        raise error
    await socket.close()


async def _let_go(worker: Worker, working: asyncio.Task[None]) -> None:
    """End a conversation, by force if need be; what comes of it is in ``working``."""
    if not working.done():
        await run_in_threadpool(worker.tell, None)
        await asyncio.wait({working}, timeout=_GONE_S)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def _hear(socket: WebSocket, tell: Callable[[bytes | None], None], idle_s: float) -> None:
    """Hand on what the client sends, until it goes or falls silent."""
    while True:
        try:
            async with asyncio.timeout(idle_s):
                message = await socket.receive()
        except TimeoutError:
            return
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text") or message.get("bytes") or b""
        raw = text.encode() if isinstance(text, str) else text
        await run_in_threadpool(partial(tell, raw))
