"""``trocar keys``: who may use the service from elsewhere."""

from typing import Annotated

import typer

from api.access import key_ring
from api.audit import AuditTrail, Deed
from api.cli_files import refusals
from api.keys import KeyRing
from api.settings import Settings
from planner.errors import RequestError

app = typer.Typer(help="Keys of the service, in the folder that TROCAR_DATA_FOLDER names.")


@app.command()
@refusals()
def add(name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it will be.")]) -> None:
    """Make a key and print it, once: only its hash is kept."""
    key = _ring().add(name)
    _tell("keys add", key.split("_")[1])
    typer.echo(key)


@app.command("list")
@refusals()
def show() -> None:
    """List the keys: id, when it was made, whether it was revoked, name."""
    for key in _ring().all():
        state = "revoked" if key.revoked else "good"
        typer.echo(f"{key.key_id}  {key.created}  {state:<7}  {key.name}")


@app.command()
@refusals()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
) -> None:
    """Let a key in no more, from the next request on."""
    _ring().revoke(key_id)
    _tell("keys revoke", key_id)


def _tell(did: str, key_id: str) -> None:
    """Write into the audit trail who may enter from now on, or may no more."""
    folder = Settings().data_folder
    if folder is not None:
        deed = Deed(who="operator", did=did, subject=key_id)
        AuditTrail(folder).add(deed, lasting=True)


def _ring() -> KeyRing:
    ring = key_ring(Settings())
    if ring is None:
        raise RequestError(
            "set TROCAR_DATA_FOLDER to the folder that the service keeps its cases in",
            field="TROCAR_DATA_FOLDER", code="missing",
        )  # fmt: skip
    return ring
