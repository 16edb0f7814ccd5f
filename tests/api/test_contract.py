"""Whatever the committed description allows, and what it does not, is answered as it says.

The long form, with requests that follow from each other, is in docs/service.md.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

DESCRIPTION = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
OPERATIONS = [
    (path, method, operation)
    for path, row in DESCRIPTION["paths"].items()
    for method, operation in row.items()
]
# A schema cannot say which meshes are anatomy, nor which ids there are.
NOT_SAID: list[Any] = [positive_data_acceptance]


@pytest.fixture(scope="module")
def schema(served: str) -> OpenApiSchema:
    loaded = schemathesis.openapi.from_dict(DESCRIPTION)
    loaded.config.update(base_url=served)
    return loaded


def _can_be_got_wrong(operation: dict[str, Any]) -> bool:
    """Tell whether there is more to an operation than words in its address."""
    told = [
        set(one["schema"]) - {"type", "title", "examples"}
        for one in operation.get("parameters", [])
    ]
    return "requestBody" in operation or any(told)


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        (path, method, mode)
        for path, method, operation in OPERATIONS
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or _can_be_got_wrong(operation)
    ],
)
def test_every_answer_is_one_that_the_description_has(
    schema: OpenApiSchema, path: str, method: str, mode: GenerationMode
) -> None:
    strategy = schema[path][method.upper()].as_strategy(generation_mode=mode)

    @settings(
        max_examples=2, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=strategy)
    def hold(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(excluded_checks=NOT_SAID, timeout=60)

    hold()
