"""``trocar node``: makes plans on this machine for a service elsewhere."""

import asyncio
import contextlib
from importlib import import_module

import typer
from pydantic import ValidationError

from api.cli_files import refusals
from api.logs import log_to_standard_error
from api.settings import Settings
from planner.errors import RequestError


@refusals()
def node() -> None:
    """Make plans for the service whose Dask scheduler TROCAR_ENGINE names; see docs/service.md.

    TROCAR_OBJECT_STORE must be the service's; TROCAR_WORKERS is how many it makes at a time.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        reasons = "; ".join(one["msg"] for one in error.errors())
        raise RequestError(reasons, field="TROCAR_ENGINE", code="settings") from error
    if settings.engine == "local":
        raise RequestError(
            "set TROCAR_ENGINE to the scheduler's address, such as tls://HOST:8786",
            field="TROCAR_ENGINE", code="missing",
        )  # fmt: skip
    try:
        cluster = import_module("api.cluster")
    except ModuleNotFoundError as error:
        raise RequestError(
            "needs one more package: pip install 'trocar[cluster,objects]'",
            field="TROCAR_ENGINE", code="missing",
        ) from error  # fmt: skip
    log_to_standard_error()
    typer.echo(f"Making plans for {settings.engine}, {settings.workers} at a time", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(cluster.run_node(settings))
