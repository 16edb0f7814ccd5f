"""A client of the service for Python: hand in a case, ask for plans, follow them, fetch pictures.

    with Client("https://planner.example", key="...") as client:
        case = client.send_case(Path("case"))
        plan_id = client.ask(case["case_id"], {"target": {"type": "anterior_body", "level": "L3"}})
        for event in client.events(plan_id):
            print(event.name, event.told)
        plan = client.wait(plan_id)

What can be sent twice without harm is sent again where the service is busy or the way to it was
lost. Lengths are in millimetres and angles in degrees, as in every document of the service.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

import httpx2

from api.strict_json import parsed_object
from geometry.mesh import MeshError
from geometry.mesh_files import sniffed_suffix
from planner.case_io.bundle import FolderBundle, ZipBundle, opened_bundle
from planner.errors import RequestError

_CHUNK_BYTES = 1 << 18
_CONNECT_S, _ANSWER_S = 10.0, 600.0
_ATTEMPTS = 6
_PAUSE_S = 0.5
_BUSY = frozenset({429, 503})
_OPEN = frozenset({"queued", "running"})

Sent = Callable[[int, int], None]  # bytes sent so far, and bytes in all


class ServiceError(RequestError):
    """The service refused, or could not be reached.

    Attributes:
        status: HTTP status, or 0 where there was no answer.
        problem: The problem document; empty where there was none.
    """

    def __init__(self, message: str, *, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(message, field="server", code=str(problem.get("type", "unreachable")))
        self.status, self.problem = status, problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a plan.

    Attributes:
        name: ``state`` or ``progress``.
        number: Of a state, to go on from; None for progress.
        told: What is told of it.
    """

    name: str
    number: int | None
    told: Mapping[str, Any]


class Client:
    """Calls of the service, one at a time.

    Args:
        address: Such as http://127.0.0.1:8000.
        key: A key or a bearer token, where the service asks for one.
        http: What sends requests; made for the address without one.
    """

    def __init__(
        self, address: str, key: str | None = None, *, http: httpx2.Client | None = None
    ) -> None:
        self._http = http or httpx2.Client(
            base_url=address, timeout=httpx2.Timeout(_ANSWER_S, connect=_CONNECT_S)
        )
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send_case(self, path: Path, sent: Sent | None = None) -> dict[str, Any]:
        """Hand in a case and return what was found in it, with its ``case_id``.

        Args:
            path: A folder with case.json in it, or one zipped; it is unpacked here.
            sent: Told how many bytes of its meshes the service has, of how many.

        Raises:
            CaseError: If it cannot be read here.
            ServiceError: If it is refused.
        """
        with opened_bundle(path) as bundle:
            document = parsed_object(bundle.document(), field="case")
            files = _files(document, bundle)
        if all(_is_told_by_its_bytes(name, data) for name, data in files.items()):
            body: dict[str, Any] = {
                "json": _with_blobs(document, self._put(files, sent or _unheard))
            }
        else:
            parts = [("case", ("case.json", json.dumps(document).encode()))]
            body = {"files": [*parts, *((name, (name, data)) for name, data in files.items())]}
        return self._json("POST", "/v1/cases", again=False, **body)

    def ask(self, case_id: str, request: Mapping[str, Any]) -> str:
        """Ask for a plan, or a session of several, and return its id; see ``wait``."""
        reply = self._answer("POST", f"/v1/cases/{case_id}/plans", json=dict(request))
        return str(reply.headers["location"]).rpartition("/")[2]

    def plan(self, plan_id: str) -> dict[str, Any]:
        """Return a plan that is made, or the state of one that is not."""
        return self._json("GET", f"/v1/plans/{plan_id}")

    def wait(self, plan_id: str) -> dict[str, Any]:
        """Return a plan once it is made.

        Raises:
            ServiceError: If it failed, with its problem, or was cancelled.
        """
        for _ in self.events(plan_id):
            pass
        plan = self.plan(plan_id)
        if "outcome" not in plan:
            problem = plan.get("problem") or {}
            detail = problem.get("detail", f"the plan is {plan.get('state')}")
            raise ServiceError(detail, status=problem.get("status", 0), problem=problem)
        return plan

    def events(self, plan_id: str, after: int = 0) -> Iterator[Event]:
        """Yield what happens to a plan until it is settled; goes on where a connection broke."""
        failures = 0
        while True:
            try:
                for event in self._events(plan_id, after):
                    after = event.number or after
                    failures = 0
                    yield event
            except httpx2.TransportError as error:
                failures += 1
                if failures >= _ATTEMPTS:
                    raise _unreachable(error) from error
                time.sleep(_PAUSE_S * 2**failures)
                continue
            if self.plan(plan_id).get("state") not in _OPEN:
                return

    def cancel(self, plan_id: str) -> None:
        """End the work on a plan."""
        self._answer("DELETE", f"/v1/plans/{plan_id}")

    def fetch(self, plan_id: str, name: str) -> bytes:
        """Return what is made of a plan: preview.png, scene.glb, sheet.pdf, proof and the like."""
        return self._answer("GET", f"/v1/plans/{plan_id}/{name}").content

    def evaluate(self, case_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the measurements of a path that somebody drew."""
        return self._json("POST", f"/v1/cases/{case_id}/evaluate", json=dict(request))

    def delete_case(self, case_id: str) -> None:
        """Remove a case with all that hangs on it."""
        self._answer("DELETE", f"/v1/cases/{case_id}")

    def _put(self, files: Mapping[str, bytes], sent: Sent) -> dict[str, str]:
        """Put the meshes that the service does not have; return their digests by name."""
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        total, done = sum(map(len, files.values())), 0
        for name, data in files.items():
            address = f"/v1/blobs/{digests[name]}"
            if self._sent("HEAD", address, again=True).status_code != 200:
                start = done

                def chunks(data: bytes = data, start: int = start) -> Iterator[bytes]:
                    for place in range(0, len(data), _CHUNK_BYTES):
                        yield data[place : place + _CHUNK_BYTES]
                        sent(min(start + place + _CHUNK_BYTES, start + len(data)), total)

                length = {"Content-Length": str(len(data))}
                self._answer("PUT", address, make=chunks, headers=length)
            done += len(data)
            sent(done, total)
        return digests

    def _events(self, plan_id: str, after: int) -> Iterator[Event]:
        headers = {**self._headers, "Last-Event-ID": str(after)}
        with self._http.stream("GET", f"/v1/plans/{plan_id}/events", headers=headers) as reply:
            if reply.status_code != 200:
                reply.read()
                raise _refusal(reply)
            fields: dict[str, str] = {}
            for line in reply.iter_lines():
                name, colon, value = line.partition(": ")
                if name and colon:
                    fields[name] = value
                elif not line and fields:
                    number = int(fields["id"]) if "id" in fields else None
                    told = json.loads(fields["data"])
                    yield Event(name=fields["event"], number=number, told=told)
                    fields = {}

    def _json(self, method: str, address: str, **how: Any) -> dict[str, Any]:  # noqa: ANN401  httpx's
        document: dict[str, Any] = self._answer(method, address, **how).json()
        return document

    def _answer(
        self,
        method: str,
        address: str,
        *,
        again: bool = True,
        **how: Any,  # noqa: ANN401  httpx's
    ) -> httpx2.Response:
        """Return a good answer.

        Raises:
            ServiceError: For any other.
        """
        reply = self._sent(method, address, again=again, **how)
        if reply.is_success:
            return reply
        raise _refusal(reply)

    def _sent(
        self,
        method: str,
        address: str,
        *,
        again: bool,
        make: Callable[[], Iterator[bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        **how: Any,  # noqa: ANN401  httpx's
    ) -> httpx2.Response:
        """Return the answer, having asked again while the service was busy or out of reach."""
        for attempt in range(1, _ATTEMPTS + 1):
            body = {**how, **({} if make is None else {"content": make()})}
            try:
                reply = self._http.request(
                    method, address, headers={**self._headers, **(headers or {})}, **body
                )
            except httpx2.TransportError as error:
                if not again or attempt == _ATTEMPTS:
                    raise _unreachable(error) from error
                time.sleep(_PAUSE_S * 2**attempt)
                continue
            if reply.status_code not in _BUSY or attempt == _ATTEMPTS:
                return reply
            time.sleep(float(reply.headers.get("retry-after", _PAUSE_S)))
        raise AssertionError("the last attempt returns or raises")


def _unheard(_: int, __: int) -> None:
    """Take what is told to nobody."""


def _files(document: Mapping[str, Any], bundle: FolderBundle | ZipBundle) -> dict[str, bytes]:
    """Return the files that a case names: its meshes, and its label map."""
    structures = document.get("structures")
    rows = structures if isinstance(structures, list) else []
    names = [row["file"] for row in rows if isinstance(row, dict) and "file" in row]
    names += [document["labelmap"]] if "labelmap" in document else []
    return {name: bundle.file(name) for name in names if isinstance(name, str)}


def _is_told_by_its_bytes(name: str, data: bytes) -> bool:
    """Tell whether the service would know what kind of file this is without its name."""
    try:
        return sniffed_suffix(data) == PurePosixPath(name).suffix.lower().lstrip(".")
    except MeshError:
        return False


def _with_blobs(document: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the case with its files named by digest."""
    rows = [
        {**{key: row[key] for key in row if key != "file"}, "blob": digests[row["file"]]}
        if isinstance(row, dict) and "file" in row
        else row
        for row in document.get("structures", [])
    ]
    return {**document, "structures": rows}


def _refusal(reply: httpx2.Response) -> ServiceError:
    try:
        problem = dict(reply.json())
    except ValueError:
        problem = {}
    detail = problem.get("detail") or f"the service answered {reply.status_code}"
    return ServiceError(detail, status=reply.status_code, problem=problem)


def _unreachable(error: Exception) -> ServiceError:
    return ServiceError(f"cannot be reached: {error}", status=0, problem={})
