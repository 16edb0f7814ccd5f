"""Pictures and scenes of plans: what is shown (scene), from where (viewpoints), how (render, page).

Nothing is measured here. Drawing runs in a process of its own (worker), because a machine
without an OpenGL library ends it without an exception; ``render`` alone imports pyvista.
"""
