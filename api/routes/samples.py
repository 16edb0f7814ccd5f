"""The cases that come with the program, opened as if they had been handed in."""

from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api.openapi import case_reply, problems
from api.openapi_examples import SAMPLE
from api.problems import UnknownIdError
from api.routes.cases import created
from api.samples import SAMPLES, sample_case
from api.service import owner_of, service_of
from api.storage.bundle import CaseBundle
from api.strict_json import parsed_object

router = APIRouter(prefix="/v1/samples", tags=["cases"])


_Name = Annotated[str, Path(examples=[SAMPLE])]


@router.get("", summary="List the sample cases")
async def list_samples() -> dict[str, Any]:
    """List the cases that come with the program; all of them are made up."""
    return {"samples": [{"name": name, "title": title} for name, title in SAMPLES.items()]}


@router.post(
    "/{name}",
    status_code=201,
    summary="Open a sample case",
    responses={201: case_reply("The case, checked, with what was found in it"),
               **problems(404, 422, 429)},
)  # fmt: skip
async def open_sample(request: Request, name: _Name) -> JSONResponse:
    """Hand in a sample case on the spot; the answer is that of handing in any other."""
    if name not in SAMPLES:
        raise UnknownIdError(
            f"is not a sample case; there are: {', '.join(SAMPLES)}",
            field="name", code="unknown-sample",
        )  # fmt: skip
    with ExitStack() as opened:
        bundle = await run_in_threadpool(_bundle, name, opened)
        stored = await service_of(request).accept_case(bundle, owner_of(request))
    return created(request, stored)


def _bundle(name: str, opened: ExitStack) -> CaseBundle:
    folder = sample_case(name)
    document = (folder / "case.json").read_bytes()
    structures: Any = parsed_object(document)["structures"]
    files = [structure["file"] for structure in structures if "file" in structure]
    return CaseBundle(
        document=document,
        files={file: opened.enter_context((folder / file).open("rb")) for file in files},
    )
