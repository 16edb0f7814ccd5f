"""The description of the service: committed, and no different from what the service says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.documents import dump
from api.main import create_app
from api.openapi_examples import SAMPLE

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_description_is_what_the_service_says() -> None:
    assert COMMITTED.read_text() == dump(create_app().openapi()), (
        "write it anew: python -m api.main > docs/openapi.json"
    )


def test_every_reference_in_the_description_leads_somewhere() -> None:
    document = create_app().openapi()
    names = set(document["components"]["schemas"])
    references = {
        part.split('"')[0] for part in dump(document).split('"$ref": "#/components/schemas/')[1:]
    }
    assert references <= names


def _examples() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every address that takes a JSON body, the schema of an example of it, and that."""
    for path, operations in json.loads(COMMITTED.read_text())["paths"].items():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            for name, example in content.get("application/json", {}).get("examples", {}).items():
                yield path, name, example["value"]


@pytest.fixture(scope="module")
def sample(client: TestClient) -> Iterator[str]:
    opened = client.post(f"/v1/samples/{SAMPLE}")
    yield opened.json()["case_id"]
    client.delete(opened.headers["location"])


@pytest.mark.parametrize(
    ("path", "name", "body"), [*_examples()], ids=lambda value: str(value)[:40]
)
def test_every_example_is_answered(
    client: TestClient, sample: str, path: str, name: str, body: dict[str, Any]
) -> None:
    answer = client.post(path.format(case_id=sample), json=body)
    assert answer.status_code in {200, 201, 202}, answer.text
    if name == "Case":
        client.delete(answer.headers["location"])


def test_every_body_has_an_example_and_every_id_comes_from_somewhere() -> None:
    document = json.loads(COMMITTED.read_text())
    operations = [o for row in document["paths"].values() for o in row.values()]
    for operation in operations:
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        assert body is None or body["examples"]
    made = {
        (name, linked["operationId"])
        for operation in operations
        for reply in operation["responses"].values()
        for linked in reply.get("links", {}).values()
        for name in linked["parameters"]
    }
    asked = {
        (name, operation["operationId"])
        for path, row in document["paths"].items()
        for operation in row.values()
        for name in ("case_id", "plan_id")
        if f"{{{name}}}" in path
    }
    assert made == asked
