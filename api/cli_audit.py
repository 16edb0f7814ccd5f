"""``trocar audit``: whether the audit trail is as it was written."""

from typing import Annotated

import typer

from api.audit import FILE, verified
from api.cli_files import refusals
from api.settings import Settings
from planner.errors import RequestError

app = typer.Typer(help="The audit trail, in the folder that TROCAR_DATA_FOLDER names.")


@app.callback()
def _group() -> None:
    """Make this a command with commands."""


@app.command()
@refusals()
def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="SHA256", help="The last digest of an earlier check."),
    ] = None,
) -> None:
    """Check that no line was changed or taken out; print how many there are and the last digest.

    Keep the digest elsewhere and give it as --head next time: then lines taken off the end are
    noticed too.
    """
    folder = Settings().data_folder
    if folder is None or not (folder / FILE).is_file():
        raise RequestError(
            "set TROCAR_DATA_FOLDER to the folder of a service that has been used",
            field="TROCAR_DATA_FOLDER", code="missing",
        )  # fmt: skip
    found = verified(folder, head)
    typer.echo(f"{found.lines} lines, the last {found.head}")
