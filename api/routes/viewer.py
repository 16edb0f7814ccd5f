"""The planning viewer: one page at ``/`` and its files, if it was built into this installation."""

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from api.viewer_files import HOW_TO_BUILD, built_viewer

# Asked for anew every time, since it names its files by their content; and it loads, runs and asks
# nothing that is not this service's.
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
}


def mount_viewer(app: FastAPI) -> None:
    """Add the viewer's page and files to the service, or a page that says how to get them."""
    folder = built_viewer()

    async def page() -> Response:
        if folder is None:
            return HTMLResponse(f"<!doctype html><title>Trocar</title><p>{HOW_TO_BUILD}", 404)
        return FileResponse(folder / "index.html", headers=_PAGE_HEADERS)

    app.add_api_route("/", page, include_in_schema=False)
    if folder is not None:
        app.mount("/assets", StaticFiles(directory=folder / "assets"))
