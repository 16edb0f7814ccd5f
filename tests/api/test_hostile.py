"""Files and documents made to do harm: each is refused by name, and the service stays well."""

from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from tests.api.hostile import DOCUMENTS, MESHES

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

SECRETS = ("root:", "Traceback", "/tmp/")  # noqa: S108  what must not come back


def listed(client: TestClient) -> list[object]:
    cases: list[object] = client.get("/v1/cases", params={"limit": 200}).json()["cases"]
    return cases


def refused(client: TestClient, reply_text: str, status: int, before: list[object]) -> None:
    assert 400 <= status < 500, reply_text
    assert not any(secret in reply_text for secret in SECRETS), reply_text
    assert len(reply_text) < 5000, "the input must not come back"
    assert client.get("/healthz").status_code == 200
    assert listed(client) == before


def test_the_corpus_is_of_some_size() -> None:
    assert len(MESHES) + len(DOCUMENTS) >= 75


@pytest.mark.parametrize("what", MESHES)
def test_a_hostile_mesh_is_refused_and_never_taken_for_empty(
    client: TestClient, small: "Bundle", what: str
) -> None:
    kind, data = MESHES[what]
    name = f"meshes/sac.{kind}"
    small.document["structures"][1]["file"] = name
    del small.files["meshes/sac.stl"]
    small.files[name] = data
    before = listed(client)
    reply = client.post("/v1/cases", files=small.parts())
    refused(client, reply.text, reply.status_code, before)
    assert any("structures[1]" in error["field"] for error in reply.json()["errors"]), reply.text


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_hostile_document_is_refused(client: TestClient, what: str) -> None:
    before = listed(client)
    headers = {"Content-Type": "application/json"}
    reply = client.post("/v1/cases", content=DOCUMENTS[what], headers=headers)
    refused(client, reply.text, reply.status_code, before)


def test_the_service_is_well_after_all_that(client: TestClient, small: "Bundle") -> None:
    assert client.post("/v1/cases", files=small.parts()).status_code == 201
    assert client.get("/readyz").status_code == 200
