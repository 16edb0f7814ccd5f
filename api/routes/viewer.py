"""The planning viewer: one page at ``/`` and its files, if it was built into this installation."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

HOW_TO_BUILD = (
    "The planning viewer is not part of this installation. In a checkout, with Node 20.19 or newer "
    "on the PATH, `python3 go.py viewer` builds it; installed wheels carry it."
)


def built_viewer() -> Path | None:
    """Return the folder of the built viewer: beside the code in a checkout, else in the package."""
    package = Path(str(files("api")))
    for folder in (package.parent / "viewer" / "dist", package / "viewer"):
        if (folder / "index.html").is_file():
            return folder
    return None


def mount_viewer(app: FastAPI) -> None:
    """Add the viewer's page and files to the service, or a page that says how to get them."""
    folder = built_viewer()

    async def page() -> Response:
        if folder is None:
            return HTMLResponse(f"<!doctype html><title>Trocar</title><p>{HOW_TO_BUILD}", 404)
        # Asked for anew every time: it names its files by their content.
        return FileResponse(folder / "index.html", headers={"Cache-Control": "no-cache"})

    app.add_api_route("/", page, include_in_schema=False)
    if folder is not None:
        app.mount("/assets", StaticFiles(directory=folder / "assets"))
