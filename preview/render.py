"""Draws scenes with pyvista, off screen. Runs in a process of its own, see ``worker``.

The only module that imports pyvista. Translucent surfaces are sorted by depth peeling, which
none of VTK's better smoothings leaves alone: with MSAA it drops the translucent surfaces, with
SSAA it stops sorting them, both without a word. So pictures are drawn twice as large, plainly,
and averaged. No environment textures: on a software renderer they take minutes.
"""

import numpy as np
import pyvista as pv

from geometry.arrays import unit
from planner.case import Kind
from preview.scene import DrawnNeedle, Scene, Stroke, Surface
from preview.viewpoints import SECTION_DEPTH_MM, Picture, Viewpoint

BACKGROUND = ("#10141b", "#28303c")  # bottom, top
MOST_TRIANGLES = 60_000  # of one surface; more cannot be told apart at this size
PEELS = 12
FINER = 2
# A translucent wall covers more the more it is seen from the side, so that shapes keep edges.
_GLASS = """//VTK::Light::Impl
  float grazing = 1.0 - abs(normalVCVSOutput.z);
  fragOutput0.a = mix(fragOutput0.a, {rim:.3f}, grazing * grazing);
"""


def pictures(shots: list[tuple[Scene, Viewpoint]], size: tuple[int, int]) -> list[Picture]:
    """Draw every scene from its viewpoint, each ``size`` pixels (width, height)."""
    meshes: dict[int, pv.PolyData] = {}
    for scene, _ in shots:
        for surface in scene.surfaces:
            if id(surface) not in meshes:
                meshes[id(surface)] = _mesh(surface)
    return [_picture(scene, meshes, viewpoint, size) for scene, viewpoint in shots]


def _picture(
    scene: Scene, meshes: dict[int, pv.PolyData], viewpoint: Viewpoint, size: tuple[int, int]
) -> Picture:
    large = [FINER * pixels for pixels in size]
    plotter = pv.Plotter(off_screen=True, window_size=large, lighting="three lights")
    plotter.disable_anti_aliasing()
    plotter.renderer.set_background(BACKGROUND[0], top=BACKGROUND[1])
    _aim(plotter, viewpoint, size)
    for surface in scene.surfaces:
        _add_surface(plotter, surface, meshes[id(surface)], viewpoint)
    for needle in scene.needles:
        _add_needle(plotter, needle)
    for stroke in scene.strokes:
        _add_stroke(plotter, stroke)
    plotter.renderer.enable_depth_peeling(PEELS)  # type: ignore[no-untyped-call]
    drawn = np.asarray(plotter.screenshot(return_img=True))[:, :, :3]
    plotter.close()
    blocks = drawn.reshape(size[1], FINER, size[0], FINER, 3)
    return np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _aim(plotter: pv.Plotter, viewpoint: Viewpoint, size: tuple[int, int]) -> None:
    camera = plotter.camera
    away = 2000.0
    camera.parallel_projection = True
    camera.focal_point = viewpoint.centre_mm.tolist()
    camera.position = (viewpoint.centre_mm + away * viewpoint.towards).tolist()
    camera.up = viewpoint.up.tolist()
    camera.parallel_scale = viewpoint.half_height_mm
    # Far enough for anything in the frame, near enough for the depth buffer to keep apart.
    depth = 4.0 * viewpoint.half_height_mm * max(1.0, size[0] / size[1])
    camera.clipping_range = (away - depth, away + depth)


def _mesh(surface: Surface) -> pv.PolyData:
    mesh = pv.PolyData.from_regular_faces(surface.vertices, surface.faces)
    if mesh.n_cells > MOST_TRIANGLES:
        mesh = mesh.decimate(1.0 - MOST_TRIANGLES / mesh.n_cells)
    return mesh


def _add_surface(
    plotter: pv.Plotter, surface: Surface, mesh: pv.PolyData, viewpoint: Viewpoint
) -> None:
    if viewpoint.cut_mm is not None and surface.kind is not None:
        _add_section(plotter, surface, mesh, viewpoint)
    elif surface.kind is not Kind.SKIN:  # which would only veil the rest
        _add_shell(plotter, surface, mesh)


def _add_shell(plotter: pv.Plotter, surface: Surface, mesh: pv.PolyData) -> None:
    """Add a surface as it is: metal shining, tissue matt and translucent as glass is."""
    look = surface.look
    translucent = look.opacity < 1.0
    actor = plotter.add_mesh(
        mesh,
        color=look.colour,
        opacity=look.opacity,
        smooth_shading=True,
        split_sharp_edges=look.metallic,
        specular=0.9 if look.metallic else 0.1,
        specular_power=35.0 if look.metallic else 8.0,
        ambient=0.12 if look.metallic else 0.25,
        diffuse=0.75,
        # The far wall of a translucent shell says little and greys the near one.
        culling="back" if translucent and surface.is_closed else None,
        show_scalar_bar=False,
    )
    if translucent:
        actor.GetShaderProperty().AddFragmentShaderReplacement(
            "//VTK::Light::Impl", True, _GLASS.format(rim=look.rim_opacity), False
        )


def _add_section(
    plotter: pv.Plotter, surface: Surface, mesh: pv.PolyData, viewpoint: Viewpoint
) -> None:
    """Add what lies behind the cut, its cut face filled, and the cut's edge as a line."""
    if viewpoint.cut_mm is None:
        return
    height = (surface.vertices - viewpoint.cut_mm) @ viewpoint.towards
    if height.min() > 0.0 or height.max() < -SECTION_DEPTH_MM:
        return
    normal, origin = viewpoint.towards.tolist(), viewpoint.cut_mm.tolist()
    if surface.kind is not Kind.SKIN:
        far = (viewpoint.cut_mm - SECTION_DEPTH_MM * viewpoint.towards).tolist()
        kept = mesh.clip(normal=normal, origin=origin, invert=True)
        kept = kept.clip(normal=normal, origin=far, invert=False)
        if kept.n_cells:
            _add_shell(plotter, surface, kept)
    edge = mesh.slice(normal=normal, origin=origin)
    if not edge.n_cells:
        return
    colour = surface.look.colour
    plotter.add_mesh(edge, color=colour, line_width=3.0 * FINER / 2, lighting=False)
    if surface.is_closed and surface.kind is not Kind.SKIN:
        face = edge.strip(join=True).triangulate_contours()
        plotter.add_mesh(face, color=colour, opacity=_cut_opacity(surface), lighting=False)


def _cut_opacity(surface: Surface) -> float:
    """Solid things are cut solid; bone and air let what lies behind them through."""
    return 1.0 if surface.look.metallic else min(0.85, surface.look.opacity + 0.25)


def _add_needle(plotter: pv.Plotter, needle: DrawnNeedle) -> None:
    """Add a needle at its true diameter, and a ring where it goes through the skin."""
    line = pv.MultipleLines(points=needle.drawn_mm)
    tube = line.tube(radius=needle.radius_mm, n_sides=24, capping=True)
    plotter.add_mesh(tube, color=needle.colour, specular=0.4, ambient=0.35, smooth_shading=True)
    along = unit(needle.points_mm[1] - needle.points_mm[0])
    ring = pv.Disc(
        center=needle.points_mm[0], inner=needle.radius_mm + 1.0, outer=needle.radius_mm + 2.0,
        normal=along, c_res=48,
    )  # fmt: skip
    plotter.add_mesh(ring, color=needle.colour, lighting=False)


def _add_stroke(plotter: pv.Plotter, stroke: Stroke) -> None:
    line = pv.MultipleLines(points=stroke.points_mm)
    plotter.add_mesh(
        line.tube(radius=stroke.radius_mm, n_sides=8), color=stroke.colour, lighting=False
    )
