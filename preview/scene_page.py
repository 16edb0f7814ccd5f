"""A plan in three dimensions as one page of HTML: it carries its scene and fetches nothing.

The scene is the binary glTF of ``export``; the script that shows it stands beside this module.
"""

import base64
import hashlib
from html import escape
from importlib.resources import files
from string import Template

NOTICE = "Research software, not a medical device."


def scene_page(glb: bytes, title: str) -> str:
    """Return the page that shows a scene.

    Args:
        glb: Binary glTF: the binary chunk may hold nothing but what ``export`` writes.
        title: What it shows, in words.
    """
    template = Template(files("preview").joinpath("scene_page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(title), notice=NOTICE, glb=base64.b64encode(glb).decode(), script=_script()
    )


def page_policy() -> str:
    """Return the Content-Security-Policy of the page: its own script and style, nothing else."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def _script() -> str:
    return files("preview").joinpath("scene_page.js").read_text("utf-8")
