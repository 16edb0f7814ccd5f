"""What is done in a worker process: reading, measuring, planning, drawing and proving.

Everything here takes and returns plain data, because it crosses between processes. Cases and
plans lately used are kept in memory.
"""

import math
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from api.case_documents import case_document
from api.cases import case_from_document
from api.documents import dump, plan_document, trajectory_document, without_timings
from api.drawing import draw_plan, draw_session_sheets, draw_sheet
from api.limits import CaseLimits
from api.problems import RenderingUnavailableError, StalePlanError
from api.progress import Report
from api.proofs import proof_archive
from api.schemas import EvaluationDocument, OneShotDocument, PlanRequestDocument, checked
from api.session_documents import session_document
from api.session_schemas import SessionRequestDocument
from api.storage.bundle import read_bundle
from api.strict_json import parsed_object
from api.worker_process import Talk
from geometry.mesh_files import write_mesh
from planner.anatomy.describe import describe_case
from planner.errors import CaseError, RequestError
from planner.planning import evaluate, plan, plan_with_proof
from planner.prepared import PreparedCase
from planner.request import TargetSpec
from planner.result import Plan
from planner.session.planning import SessionPlan, plan_session

_PAUSE_S = 0.1  # between two words about progress
_Kept = TypeVar("_Kept")


class Recent(Generic[_Kept]):
    """The few values lately used, by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()

    def get(self, key: tuple[str, ...], make: Callable[[], _Kept]) -> _Kept:
        """Return the value of ``key``, made now if it is not at hand."""
        if key not in self._values:
            self._values[key] = make()
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return self._values[key]


_cases: Recent[PreparedCase] = Recent(4)
_plans: Recent[Plan] = Recent(16)
_sessions: Recent[SessionPlan] = Recent(4)
_drawings: Recent[dict[str, bytes]] = Recent(4)
_proofs: Recent[bytes] = Recent(4)


def load() -> None:
    """Do nothing: that this module is loaded for it is what makes a new worker quick."""


def describe(folder: Path, limits: CaseLimits) -> dict[str, Any]:
    """Return what is known of the case in ``folder``, once it was read and checked."""
    case = _case(folder).given
    limits.require(case)
    return case_document(case, describe_case(case))


def plan_aloud(talk: Talk, folder: Path, document: Mapping[str, Any]) -> str:
    """Return the text of a plan or session for a checked request, telling (stage, share)."""
    said_s = -math.inf

    def report(stage: str, share: float) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= _PAUSE_S:
            said_s = time.monotonic()
            talk.say((stage, share))

    if "targets" in document:
        return dump(session_document(_session(folder, document, report)))
    return dump(plan_document(_plan(folder, document, report)))


def evaluate_case(folder: Path, asked: EvaluationDocument) -> str:
    """Return the text of the measured trajectory for a checked evaluation request."""
    return dump(trajectory_document(evaluate(_case(folder), asked.request())))


def plan_once(body: bytes, limits: CaseLimits) -> str:
    """Return the text of the plan for a case and a request in one JSON body; nothing is kept."""
    asked = checked(OneShotDocument, parsed_object(body))
    with _named_as_in_body():
        case = case_from_document(asked.case, {})
        limits.require(case)
        return dump(plan_document(plan(case, asked.request.request())))


def structure_bytes(folder: Path, name: str, file_type: str) -> bytes:
    """Return the mesh of one structure as it is measured, patient LPS, mm."""
    return write_mesh(_case(folder).case.structure(name, field_name="name").mesh, file_type)


def drawn(folder: Path, document: Mapping[str, Any], text: str, file_name: str) -> bytes:
    """Return one of the files that ``render_preview`` draws of a plan.

    Raises:
        StalePlanError: If the planner now answers the request otherwise than in ``text``.
    """
    made = _plan(folder, document)
    _require_same(made, text)
    request = checked(PlanRequestDocument, document).request()
    files = _drawings.get(
        (folder.name, request.digest), lambda: _draw(_case(folder), request.target, made)
    )
    if file_name not in files:
        raise RenderingUnavailableError(files["unavailable"].decode())
    return files[file_name]


def sheet(folder: Path, document: Mapping[str, Any], text: str, rank: int) -> bytes:
    """Return the one-page sheet of a plan's trajectory as PDF; of a session, all its pages.

    Raises:
        StalePlanError: If the planner now answers the request otherwise than in ``text``.
        UnknownIdError: If the plan has trajectories, but none of that rank.
    """
    if "targets" in document:
        session = _session(folder, document)
        _require_unchanged(session_document(session), text, session.planner_version)
        return draw_session_sheets(_case(folder), session)
    made = _plan(folder, document)
    _require_same(made, text)
    request = checked(PlanRequestDocument, document).request()
    return draw_sheet(_case(folder), request, made, rank)


def proved(folder: Path, document: Mapping[str, Any], text: str) -> bytes:
    """Return the proof of a plan as a zip file, made by planning again.

    Raises:
        StalePlanError: If the planner now answers the request otherwise than in ``text``.
    """
    asked = checked(PlanRequestDocument, document)
    request = asked.request()

    def make() -> bytes:
        made, proof = plan_with_proof(_case(folder), request)
        _require_same(made, text)
        return proof_archive(proof, asked.written_out())

    return _proofs.get((folder.name, request.digest, text), make)


def _require_same(made: Plan, text: str) -> None:
    """Refuse to show a plan that is not the one in ``text``, but for the time it took."""
    _require_unchanged(plan_document(made), text, made.planner_version)


def _require_unchanged(document: Mapping[str, Any], text: str, version: str) -> None:
    if _timeless(document) != _timeless(parsed_object(text.encode())):
        raise StalePlanError(
            f"was made by another version of the planner than {version}; plan again",
            field="plan_id", code="stale-plan",
        )  # fmt: skip


def _timeless(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan or session as it is written, but for the time that it and its plans took."""
    whole = without_timings(document)
    if "targets" in whole:
        whole["targets"] = [
            {**target, "plan": without_timings(target["plan"])} for target in whole["targets"]
        ]
    return whole


def _draw(prepared: PreparedCase, target: TargetSpec, made: Plan) -> dict[str, bytes]:
    """Return the drawn files by name, with why one is missing under ``unavailable``."""
    with tempfile.TemporaryDirectory() as folder:
        result = draw_plan(prepared, target, made, Path(folder))
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return {**files, "unavailable": (result.unavailable or "it was not drawn").encode()}


def case_in(folder: Path) -> PreparedCase:
    """Return the case in ``folder``; the few lately used are at hand."""
    return _case(folder)


def _case(folder: Path) -> PreparedCase:
    return _cases.get(
        (folder.name,), lambda: PreparedCase(case_from_document(*read_bundle(folder)))
    )


def _plan(folder: Path, document: Mapping[str, Any], report: Report | None = None) -> Plan:
    request = checked(PlanRequestDocument, document).request()
    return _plans.get(
        (folder.name, request.digest), lambda: plan(_case(folder), request, progress=report)
    )


def _session(
    folder: Path, document: Mapping[str, Any], report: Report | None = None
) -> SessionPlan:
    request = checked(SessionRequestDocument, document).request()
    return _sessions.get(
        (folder.name, request.digest),
        lambda: plan_session(_case(folder), request, progress=report),
    )


@contextmanager
def _named_as_in_body() -> Iterator[None]:
    """Name fields as they are in a body with the members ``case`` and ``request``."""
    try:
        yield
    except CaseError as error:
        raise CaseError(str(error), field=f"case.{error.field}", code=error.code) from error
    except RequestError as error:
        raise RequestError(str(error), field=f"request.{error.field}", code=error.code) from error
