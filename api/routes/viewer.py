"""The planning viewer: one page at ``/`` and its files, if it was built into this installation."""

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from api.viewer_files import HOW_TO_BUILD, built_viewer


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
