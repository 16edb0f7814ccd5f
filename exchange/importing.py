"""From a scan's segments to a case: names to kinds, voxels to surfaces, metal to instruments."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from exchange.encapsulated_stl import FRAME
from exchange.labels import KINDS, LabelTable, Role, Use
from exchange.metal import split
from exchange.segments import Model, Scan, Segment
from exchange.surface import surface_of
from exchange.voxels import coarser, filled, touching, united
from geometry.mesh import MeshError, TriangleMesh, merged
from geometry.mesh_check import check_and_repair
from geometry.mesh_files import RawMesh
from planner.anatomy.model import ScrewAxis
from planner.anatomy.reader import AnatomyReader
from planner.case import Case, Kind, Structure
from planner.case_io import load_case, save_case
from planner.errors import CaseError

COARSE_MM = 1.5  # voxels of large soft parts are put together up to here, outward
COARSENED = frozenset({Kind.ORGAN, Kind.SKIN})
THICK_SLICES_MM = 1.25  # thicker ones hide the walls of thin pedicles [A]
ELONGATED = 3.0  # of a voxel, longest to shortest edge [A]
BONES = (Kind.VERTEBRA, Kind.SACRUM, Kind.ILIUM)
HALO_MM = 15.0  # from a halo's middle to the shaft that it surrounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What the caller says about a segmentation.

    Attributes:
        labels: What its labels mean.
        name: The case's title.
        error_mm: How far its surfaces may be off; None for half of the longest voxel edge.
        frame: Frame of models that do not state theirs.
    """

    labels: LabelTable
    name: str = ""
    error_mm: float | None = None
    frame: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Imported:
    """A case as it was written and read again, and what to tell about how it was made."""

    case: Case
    notes: tuple[str, ...]


def import_case(
    scan: Scan, stated: Stated, folder: Path, *, told: Callable[[str], None] = lambda _: None
) -> Imported:
    """Write a scan's segments as a case, and read it again.

    Args:
        scan: What was read.
        stated: What the caller says about it.
        folder: Where to write case.json and its meshes.
        told: Is called with what is being done.

    Raises:
        CaseError: ``unknown-labels``, ``no-vertebra``, ``bad-model``, or what reading a case
            refuses.
    """
    roles = _roles(scan, stated.labels)
    notes = [*scan.notes, *_ignored(scan, roles), *_voxel_notes(scan)]
    told("drawing surfaces")
    structures = _structures(scan, roles, notes)
    bones = tuple(s for s in structures if s.kind in BONES)
    if not any(s.kind is Kind.VERTEBRA or s.kind is Kind.SACRUM for s in bones):
        raise CaseError(
            "no label is a vertebra or the sacrum, so nothing could be planned in; name one in a "
            "label table", field="source", code="no-vertebra",
        )  # fmt: skip
    told("taking the metal apart")
    structures += _hardware(scan, roles, bones, notes)
    case = Case(
        name=stated.name,
        structures=_completed(tuple(structures), _error_mm(scan, stated, notes)),
        digest="",
        provenance=_provenance(scan),
    )
    told("writing the case")
    save_case(case, folder)
    return Imported(case=load_case(folder), notes=tuple(notes))


def _roles(scan: Scan, labels: LabelTable) -> dict[str, Role]:
    """Return what each label means.

    Raises:
        CaseError: ``unknown-labels``, listing them all.
    """
    roles = {part.label: labels.role(part.label) for part in scan.parts}
    unknown = [label for label, role in roles.items() if role is None]
    if unknown:
        raise CaseError(
            f"labels that tell no kind: {', '.join(map(repr, unknown[:40]))}; give --labels with a "
            f"table (label,kind) that says for each one of {', '.join(KINDS)}",
            field="labels", code="unknown-labels",
        )  # fmt: skip
    return {label: role for label, role in roles.items() if role is not None}


def _ignored(scan: Scan, roles: dict[str, Role]) -> Iterable[str]:
    left = [p.label for p in scan.parts if roles[p.label].kind is Use.IGNORE]
    return [f"left out, as no part of a plan: {', '.join(left)}"] if left else []


def _voxel_notes(scan: Scan) -> Iterable[str]:
    """Say what voxels hide."""
    edges = {tuple(np.round(p.spacing_mm, 3)) for p in scan.parts if isinstance(p, Segment)}
    for edge in sorted(edges):
        shown = " x ".join(f"{e:g}" for e in edge)
        if max(edge) > ELONGATED * min(edge) or max(edge) > THICK_SLICES_MM:
            yield (
                f"voxels of {shown} mm hide walls thinner than {max(edge):g} mm: thin pedicles may "
                "be lost or drawn too wide; segment thinner slices where you can"
            )


def _structures(scan: Scan, roles: dict[str, Role], notes: list[str]) -> list[Structure]:
    """Return everything but masks of metal as structures, parts of one name united."""
    grouped: dict[str, list[Segment | Model]] = {}
    said: dict[str, tuple[Role, Kind]] = {}
    for part in scan.parts:
        role = roles[part.label]
        if isinstance(role.kind, Kind):
            name = _plain(role.name)
            said.setdefault(name, (role, role.kind))
            grouped.setdefault(name, []).append(part)
    kinds = {name: kind for name, (_, kind) in said.items()}
    notes += _lucencies_returned(grouped, kinds)
    found = []
    for name, parts in grouped.items():
        role, kind = said[name]
        mesh, is_cut = _surface(name, kind, parts)
        if is_cut and kind in BONES:
            notes.append(f"{name} reaches the edge of the scan, where it is cut off")
        found.append(Structure(name=name, kind=kind, mesh=mesh, level=role.level, side=role.side))
    return found


def _lucencies_returned(
    grouped: dict[str, list[Segment | Model]], kinds: dict[str, Kind]
) -> list[str]:
    """Give the voxels of each halo to the bone round it as well, and say so.

    A voxel of a label map has one label, so a lucency that is drawn has been cut out of its bone;
    the pedicle's outline is that of the bone with what was resorbed in it.
    """
    bones = {name: list(parts) for name, parts in grouped.items() if kinds[name] in BONES}
    notes = []
    for name, parts in grouped.items():
        if kinds[name] is not Kind.HALO:
            continue
        for halo in (part for part in parts if isinstance(part, Segment)):
            contact = {
                bone: sum(touching(s, halo) for s in segments if isinstance(s, Segment))
                for bone, segments in bones.items()
            }
            most = max(contact, key=contact.__getitem__, default="")
            if contact.get(most):
                grouped[most].append(halo)
                notes.append(f"{name} counts as part of {most} too, out of which it was drawn")
    return notes


def _surface(name: str, kind: Kind, parts: list[Segment | Model]) -> tuple[TriangleMesh, bool]:
    """Return the surface of what bears one name, and whether the scan cuts it off."""
    segments = [part for part in parts if isinstance(part, Segment)]
    meshes = [_checked(part.mesh, name) for part in parts if isinstance(part, Model)]
    meshes += [surface_of(prepared(segment, kind)) for segment in united(segments)]
    return merged(meshes), any(segment.cut for segment in segments)


def prepared(segment: Segment, kind: Kind) -> Segment:
    """Fill what a label map cuts out of a skin; make large soft parts coarser, outward."""
    if kind is Kind.SKIN:
        segment = filled(segment)
    return coarser(segment, at_most_mm=COARSE_MM) if kind in COARSENED else segment


def _hardware(
    scan: Scan, roles: dict[str, Role], bones: tuple[Structure, ...], notes: list[str]
) -> list[Structure]:
    """Return the instruments of all masks of metal."""
    parts = [p for p in scan.parts if roles[p.label].kind is Use.METAL]
    models = [p.label for p in parts if isinstance(p, Model)]
    if models:
        raise CaseError(
            f"{', '.join(models)}: a model cannot be split as metal; call it a screw, and it is "
            "taken apart when the case is read", field="labels.kind", code="bad-model",
        )  # fmt: skip
    found = []
    for segment in united([p for p in parts if isinstance(p, Segment)]):
        instruments, said = split(segment, bones)
        notes += said
        found += [
            Structure(
                name=one.name, kind=one.kind, mesh=surface_of(one.segment), level=one.level,
                side=one.side,
            )
            for one in instruments
        ]  # fmt: skip
    return found


def _completed(structures: tuple[Structure, ...], error_mm: float) -> tuple[Structure, ...]:
    """Fill in the levels and sides that names do not tell, and how far surfaces may be off."""
    hardware = AnatomyReader(Case(name="", structures=structures, digest="")).hardware()
    axes = [axis for axis in hardware.screws.values() if isinstance(axis, ScrewAxis)]
    told = {axis.structure: axis for axis in axes}
    complete = []
    for one in structures:
        found = told.get(one.name)
        if one.kind is Kind.HALO:
            found = _around(one, axes)
        side = found.side if found else None
        if one.kind in {Kind.ROD, Kind.CAGE}:
            lines = hardware.rods if one.kind is Kind.ROD else hardware.cages
            side = getattr(lines.get(one.name), "side", None)
        level = found.level if found and one.kind in {Kind.SCREW, Kind.HALO} else None
        complete.append(replace(
            one, level=one.level or level, side=one.side or side, segmentation_error_mm=error_mm,
        ))  # fmt: skip
    return tuple(complete)


def _around(halo: Structure, axes: list[ScrewAxis]) -> ScrewAxis | None:
    """Return the screw whose shaft a halo surrounds."""
    middle = halo.mesh.vertices.mean(axis=0)
    gaps = [float(np.linalg.norm(0.5 * (a.head_mm + a.tip_mm) - middle)) for a in axes]
    nearest = int(np.argmin(gaps)) if gaps else -1
    return axes[nearest] if gaps and gaps[nearest] <= HALO_MM else None


def _error_mm(scan: Scan, stated: Stated, notes: list[str]) -> float:
    """Return how far the surfaces may be off: as stated, or what voxels alone hide."""
    if stated.error_mm is not None:
        return stated.error_mm
    edges = [float(p.spacing_mm.max()) for p in scan.parts if isinstance(p, Segment)]
    error = round(0.5 * max(edges, default=0.0), 3)
    notes.append(
        f"no segmentation error was stated: {error:g} mm is taken, half of the longest voxel edge; "
        "state what your segmentation was measured to have"
    )
    return error


def _provenance(scan: Scan) -> dict[str, object]:
    """Return what says which scan it was; nothing where the source does not tell."""
    return {FRAME: scan.frame_of_reference} if scan.frame_of_reference else {}


def _checked(raw: RawMesh, name: str) -> TriangleMesh:
    try:
        mesh, _ = check_and_repair(raw)
    except MeshError as error:
        raise CaseError(f"{name}: {error}", field="source", code="bad-model") from error
    return mesh


def _plain(name: str) -> str:
    """Return a name that a structure of a case may have."""
    plain = "".join("_" if c in '/\\"<>|?*:' or not c.isprintable() else c for c in name).strip()
    return plain.lstrip(".")[:100] or "unnamed"
