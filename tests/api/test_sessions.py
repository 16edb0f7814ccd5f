"""Several targets in one request: checked by field, expanded, answered as one document."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pypdfium2
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from api import cli
from api.cli_session import named_targets
from api.problems import SeveralPlansError
from api.routes.plans import answered
from api.schemas import PlanRequestDocument
from api.session_schemas import (
    MOST_TARGETS,
    SessionRequestDocument,
    asked_plan,
    require_targets,
)
from api.storage.ledger import State, StoredPlan
from planner.errors import InputError, RequestError
from planner.request import CageEnd, CageInterface
from planner.session.planning import Bilateral

SAMPLES = Path(__file__).parents[2] / "sample_cases"
Run = Callable[..., Result]
L3 = {"type": "anterior_body", "level": "L3"}
ROWS = [
    {"name": "L3", "kind": "vertebra", "level": "L3", "side": None},
    {"name": "cage", "kind": "cage", "level": None, "side": None},
]


class Bundle(Protocol):
    """A case as the fixture ``small`` has it."""

    def write(self, folder: Path) -> Path: ...

    def parts(self) -> list[tuple[str, tuple[str, bytes]]]: ...


@pytest.fixture
def run() -> Run:
    return lambda *words: CliRunner().invoke(cli.app, list(map(str, words)), catch_exceptions=False)


def test_targets_make_a_session_and_a_target_a_plan() -> None:
    assert isinstance(asked_plan({"target": L3}), PlanRequestDocument)
    asked = asked_plan({"targets": [L3, L3], "needles": ["13G-150"], "sides": ["left"]})
    assert isinstance(asked, SessionRequestDocument)
    request = asked.request()
    assert request.bilateral is Bilateral.AS_NEEDED
    for one in request.requests:
        assert one.needles == ("13G-150",)
        single = asked_plan({"target": L3, "needles": ["13G-150"], "sides": ["left"]}).request()
        assert one.digest == single.digest, "each target is the request it would be by itself"


def test_a_cage_is_two_targets() -> None:
    asked = asked_plan({"targets": [{"type": "cage", "cage": "cage"}]})
    assert isinstance(asked, SessionRequestDocument)
    assert [r.target for r in asked.request().requests] == [
        CageInterface(cage="cage", end=end) for end in CageEnd
    ]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"targets": []}, "targets"),
        ({"targets": [L3] * (MOST_TARGETS + 1)}, "targets"),
        ({"targets": [L3, {"type": "anterior_body", "level": "L9"}]}, "targets[1]"),
        ({"targets": [L3], "bilateral": "perhaps"}, "bilateral"),
        ({"targets": [L3], "target": L3}, "target"),
    ],
)
def test_a_mistake_is_named_by_its_field(more: Mapping[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        asked_plan(more)
    errors = getattr(refused.value, "errors", None) or [refused.value]
    assert any(str(e.field).startswith(field) for e in errors)


def test_what_the_case_lacks_is_named_by_the_number_of_the_target() -> None:
    fine = asked_plan({"targets": [L3, {"type": "cage", "cage": "cage"}]})
    require_targets(fine, ROWS)
    lacking = asked_plan({"targets": [L3, {"type": "cage", "cage": "L3"}]})
    with pytest.raises(RequestError) as refused:
        require_targets(lacking, ROWS)
    assert refused.value.field == "targets[1].cage"


def test_one_target_on_the_command_line_is_a_plan_and_two_are_a_session() -> None:
    assert named_targets([]) == {}
    assert named_targets(["anterior_body:L3"]) == {"target": L3}
    assert named_targets(["anterior_body:L3"] * 2) == {"targets": [L3, L3]}
    assert named_targets(["cage:c"]) == {"targets": [{"type": "cage", "cage": "c"}]}


def test_pictures_of_a_session_are_refused_with_the_remedy() -> None:
    stored = StoredPlan(
        plan_id="p", case_id="c", created="now", state=State.DONE, answer="{}",
        request={"targets": [L3]}, fence=0, attempts=0,
    )  # fmt: skip
    with pytest.raises(SeveralPlansError, match="of each target"):
        answered(stored)


def test_the_command_line_answers_with_one_document(
    run: Run, small: Bundle, tmp_path: Path
) -> None:
    """The two boxes are no vertebra, so the answer is an honest 'none' for each target."""
    case = small.write(tmp_path / "case")
    words = ["--target", "anterior_body:L3", "--target", "point:0,0,0", "--json"]
    done = run("plan", case, *words)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["schema"] == "trocar/session/1"
    assert document["outcome"] == "none"
    assert [t["plan"]["schema"] for t in document["targets"]] == ["trocar/plan/1"] * 2
    assert [t["chosen_ranks"] for t in document["targets"]] == [[], []]
    assert document["spacing"]["hub_diameter_mm"] > 0.0


def test_a_proof_of_a_session_is_refused(run: Run, tmp_path: Path) -> None:
    words = ["--target", "anterior_body:L3", "--target", "anterior_body:L4"]
    done = run("plan", str(SAMPLES / "lumbar-fracture"), *words, "--proof", str(tmp_path / "p"))
    assert done.exit_code == 2
    assert "one target" in done.stderr


def test_the_service_answers_several_targets_and_prints_all_of_them(
    client: TestClient, small: Bundle
) -> None:
    case = client.post("/v1/cases", files=small.parts())
    assert case.status_code == 201, case.text
    asked = {"targets": [L3, {"type": "point", "position_mm": [0.0, 0.0, 0.0]}]}
    reply = client.post(
        f"/v1/cases/{case.json()['case_id']}/plans", json=asked, headers={"Prefer": "wait=300"}
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["schema"] == "trocar/session/1"
    assert len(reply.json()["targets"]) == 2
    where = reply.headers["Location"]
    assert client.get(where).json() == reply.json()
    printed = client.get(f"{where}/sheet.pdf")
    assert printed.status_code == 200, printed.text
    assert len(pypdfium2.PdfDocument(printed.content)) == 2, "a page for each target without"
    refused = client.get(f"{where}/scene.glb")
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["code"] == "several-plans"
    unknown = {"targets": [L3, {"type": "anterior_body", "level": "T5"}]}
    lacking = client.post(f"/v1/cases/{case.json()['case_id']}/plans", json=unknown)
    assert lacking.status_code == 422
    assert lacking.json()["errors"][0]["field"] == "targets[1].level"
