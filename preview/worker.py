"""Runs drawing in one spawned process, so that a missing OpenGL library is an error, not an end.

VTK does not raise where it finds no OpenGL: the process dies. Here the process that dies is a
child, and the parent says what to install.
"""

import importlib
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from preview.scene import Scene
from preview.viewpoints import Picture, Viewpoint

OPENGL_WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"
INSTALL = "apt-get install libegl1 libgl1-mesa-dri"


class RenderUnavailableError(RuntimeError):
    """This machine cannot draw pictures; the message says what to install."""


def draw(scene: Scene, viewpoints: Sequence[Viewpoint], size: tuple[int, int]) -> list[Picture]:
    """Draw one scene from every viewpoint, each ``size`` pixels (width, height).

    Raises:
        RenderUnavailableError: If the drawing process died, as it does without OpenGL.
    """
    return draw_each([(scene, viewpoint) for viewpoint in viewpoints], size)


def draw_each(shots: Sequence[tuple[Scene, Viewpoint]], size: tuple[int, int]) -> list[Picture]:
    """Draw every scene from its viewpoint, each ``size`` pixels (width, height).

    Raises:
        RenderUnavailableError: If the drawing process died, as it does without OpenGL.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_prepare) as pool:
        try:
            return pool.submit(_draw, list(shots), size).result()
        except BrokenProcessPool as died:
            raise RenderUnavailableError(
                "pictures cannot be drawn here: the drawing process died, as it does where VTK "
                f"finds no OpenGL library. On Debian or Ubuntu: {INSTALL}"
            ) from died


def _prepare() -> None:
    """Choose EGL before VTK is loaded, and keep VTK's warnings off the user's screen.

    EGL needs no display, and trying X11 can kill the process. What VTK prints before it dies is
    said more clearly by the parent; Python's own errors come back to it as they are.
    """
    os.environ.setdefault(OPENGL_WINDOW, "vtkEGLRenderWindow")
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def _draw(shots: list[tuple[Scene, Viewpoint]], size: tuple[int, int]) -> list[Picture]:
    # Loaded here and by name: the parent never needs VTK.
    return importlib.import_module("preview.render").pictures(shots, size)
