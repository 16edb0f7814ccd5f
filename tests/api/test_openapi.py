"""The description of the service: committed, and no different from what the service says."""

from pathlib import Path

from api.documents import dump
from api.main import create_app

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
