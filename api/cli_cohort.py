"""``trocar cohort run``: plan every target of a cohort of generated spines, and report."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import Field
from rich.console import Console

from api.cli_files import announce, refusals
from api.schemas import Document, checked
from api.strict_json import parsed_object
from cohort.engines import ENGINES, engine_named
from cohort.run import run_cohort
from cohort.spec import BUILT_IN, Spec
from planner.errors import RequestError

app = typer.Typer(no_args_is_help=True, help="Plan many generated spines, and report.")


class CohortDocument(Document):
    """A cohort in a file of its own."""

    schema_: Annotated[Literal["trocar/cohort/1"], Field(alias="schema")]
    name: Annotated[str, Field(pattern=r"^[\w.-]{1,60}$")]
    series: Literal["published", "bilateral"]
    copies: Annotated[int, Field(ge=1, le=100_000)] = 1
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1

    def spec(self) -> Spec:
        """Return the cohort."""
        return Spec(name=self.name, series=self.series, copies=self.copies, seed=self.seed)


@app.callback()
def _cohort() -> None:
    """Keep ``run`` a command of its own."""


@app.command()
@refusals()
def run(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help=f"{', '.join(BUILT_IN)}, or a JSON file.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")],
    workers: Annotated[int, typer.Option("--workers", min=1, max=1024, help="Processes.")] = 1,
    engine: Annotated[str, typer.Option("--engine", help=ENGINES)] = "local",
) -> None:
    """Plan every target of a cohort; go on where a stopped run was; write tables and report."""
    cohort = BUILT_IN.get(spec) or _from_file(Path(spec))
    chosen = engine_named(engine, workers)
    console = Console(stderr=True)
    with console.status("") as status:

        def tell(done: int, of: int) -> None:
            text = f"{done} of {of} spines"
            if console.is_terminal:
                status.update(text)
            else:
                typer.echo(f"trocar: {text}", err=True)

        written = run_cohort(cohort, out, chosen, tell)
    announce([f"wrote {path}" for path in written])


def _from_file(path: Path) -> Spec:
    """Read a cohort.

    Raises:
        RequestError: If there is no such file, or it is not a cohort.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RequestError(
            f"{str(path)[:200]!r} is neither a built-in cohort ({', '.join(BUILT_IN)}) nor a file",
            field="spec", code="unknown-cohort",
        ) from error  # fmt: skip
    return checked(CohortDocument, parsed_object(raw, field="spec")).spec()
