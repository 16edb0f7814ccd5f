"""What crosses between the service and its workers: values, whole, and nothing that acts."""

import multiprocessing
import os
import pickle
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.frames import Answered, Fault, Job, Refused, Said, called, framed, from_worker, job
from api.limits import CaseLimits
from api.problems import ANSWERS, FieldError, Problem
from api.profiles import ProfileDocument
from planner.errors import RequestError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)  # fmt: skip


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_what_a_worker_sends_is_values_and_never_objects(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    harmful = pickle.dumps(Trap(tmp_path / "made"))
    for sent in (harmful, b"", b"\xc1", msgspec.msgpack.encode({"type": "other"})):
        theirs.send_bytes(sent)
        with pytest.raises(OSError, match="no message"):
            from_worker(ours)
    theirs.send_bytes(framed(Answered(harmful)))
    assert from_worker(ours) == Answered(harmful)
    assert not (tmp_path / "made").exists()


@given(PLAIN)
def test_values_cross_as_they_are(value: object) -> None:
    ours, theirs = multiprocessing.Pipe()
    for message in (Answered(value), Said(value)):
        theirs.send_bytes(framed(message))
        assert from_worker(ours) == message


def test_a_refusal_crosses_with_all_its_fields() -> None:
    ours, theirs = multiprocessing.Pipe()
    error = FieldError(field="needles[1]", code="unknown", message="is none")
    problem = Problem(answer=ANSWERS[RequestError], detail="why", errors=(error,))
    for message in (Refused(problem), Fault("ValueError < here")):
        theirs.send_bytes(framed(message))
        assert from_worker(ours) == message


def typed(folder: Path, limits: CaseLimits, asked: ProfileDocument, *, data: bytes = b"") -> str:
    return f"{folder.name} {limits.triangles} {asked.step_mm} {data.hex()}"


def test_arguments_become_what_the_function_says_they_are() -> None:
    line = {"type": "line", "start_mm": [0.0, 0.0, 0.0], "end_mm": [1.0, 0.0, 0.0]}
    path = ProfileDocument.model_validate({"path": [line], "needle": "13G-150", "step_mm": 2.0})
    call = partial(typed, Path("a/b"), CaseLimits(structures=1, triangles=2), data=b"\xff")
    crossed = msgspec.msgpack.decode(framed(job(call, (path,), {})), type=Job)
    assert called(crossed) == "b 2 2.0 ff"


def test_what_has_no_plain_form_does_not_cross() -> None:
    with pytest.raises(NotImplementedError, match="Trap"):
        framed(Answered(Trap(Path("a"))))
