"""What the names in a segmentation mean: TotalSegmentator's (v1 and v2), and plain words.

A name that is not known is never guessed: the import lists it and asks for a label table.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from planner.case import LEVELS, Kind, Side
from planner.errors import CaseError


class Use(StrEnum):
    """What becomes of a name that is no structure of a case by itself."""

    METAL = "metal"  # taken apart into screws, rods and cages
    IGNORE = "ignore"  # left out, and said so


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a name means.

    Attributes:
        name: What the structure is called in the case; parts of one name are united.
        kind: Its kind, or what else becomes of it.
        level: Its vertebral level, where the name tells it.
        side: The patient's side, where the name tells it.
    """

    name: str
    kind: Kind | Use
    level: str | None = None
    side: Side | None = None


KINDS: tuple[str, ...] = (*(kind.value for kind in Kind), *(use.value for use in Use))
COLUMNS = ("label", "name", "kind", "level", "side")
_SIDES = {"left": Side.LEFT, "l": Side.LEFT, "right": Side.RIGHT, "r": Side.RIGHT}
_LEVEL = re.compile(r"(c|t|th|l|s)0?(\d{1,2})")
_RIB = re.compile(r"(?:rib_)?(l|r|left|right)?_?(?:rib_)?0?(\d{1,2})(?:_rib)?_?(left|right)?")
_LOBE = re.compile(r"lung_(upper|middle|lower)_lobe")
_CERVICAL = re.compile(r"vertebrae?_c[1-6]|c[1-6]")

# Words by kind. Vessels, organs and bones as TotalSegmentator names them, without their sides.
_WORDS: Mapping[Kind | Use, tuple[str, ...]] = {
    Kind.SACRUM: ("sacrum",),
    Kind.ILIUM: ("hip", "ilium", "iliac_bone", "hip_bone"),
    Kind.DISC: ("disc", "discs", "intervertebral_disc", "intervertebral_discs"),
    Kind.SCREW: ("screw", "screws", "pedicle_screw"),
    Kind.ROD: ("rod", "rods"),
    Kind.CROSSLINK: ("crosslink", "cross_link", "connector"),
    Kind.CAGE: ("cage", "interbody_cage"),
    Kind.CEMENT: ("cement", "bone_cement", "pmma"),
    Kind.CANAL: ("canal", "spinal_canal", "vertebral_canal", "dural_sac", "thecal_sac"),
    Kind.NERVE_ROOT: ("spinal_cord", "nerve_root", "nerve_roots", "root"),
    Kind.PLEURA: ("pleura",),
    Kind.SEGMENTAL_VESSEL: ("segmental_vessels", "segmental_arteries", "segmental_vessel"),
    Kind.SKIN: ("skin", "body", "body_trunc"),
    Kind.HALO: ("halo", "lucency"),
    Kind.LESION: ("lesion", "tumor", "tumour", "metastasis"),
    Kind.FLUID: ("fluid", "abscess", "collection", "pleural_effusion"),
    Kind.OTHER_BONE: (
        "femur", "humerus", "scapula", "clavicula", "sternum", "costal_cartilages", "skull",
    ),
    Kind.VESSEL: (
        "aorta", "inferior_vena_cava", "ivc", "superior_vena_cava", "azygos_system",
        "portal_vein_and_splenic_vein", "iliac_artery", "iliac_vena", "iliac_arteries",
        "iliac_veins", "pulmonary_artery", "pulmonary_vein", "brachiocephalic_trunk",
        "brachiocephalic_vein", "subclavian_artery", "common_carotid_artery",
        "atrial_appendage", "vessel", "artery", "vein",
    ),
    Kind.ORGAN: (
        "lung", "spleen", "kidney", "kidney_cyst", "gallbladder", "liver", "stomach", "pancreas",
        "adrenal_gland", "esophagus", "trachea", "thyroid_gland", "small_bowel", "duodenum",
        "colon", "urinary_bladder", "prostate", "heart", "heart_myocardium", "heart_atrium",
        "heart_ventricle",
    ),
    Use.METAL: (
        "metal", "hardware", "implant", "implants", "instrumentation", "spinal_implant",
    ),
    # What a needle passes on its way through the back, or never comes near.
    Use.IGNORE: (
        "gluteus_maximus", "gluteus_medius", "gluteus_minimus", "autochthon", "iliopsoas",
        "brain", "face", "body_extremities", "background",
    ),
}  # fmt: skip
_WITH_PLACE = frozenset({"screw", "rod", "cage", "halo"})  # such as halo_ilium_right
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words}


def role_of(label: str) -> Role | None:
    """Return what a segment's name means; None if it is not known.

    Args:
        label: Such as ``vertebrae_L3``, ``rib_left_7``, ``lung_upper_lobe_left``, ``L3``,
            ``screw L3 left`` or ``metal``.
    """
    plain = "_".join(re.findall(r"[a-z0-9]+", label.lower()))
    if _CERVICAL.fullmatch(plain):
        return Role(name=label, kind=Kind.OTHER_BONE)
    if "rib" in plain.split("_"):
        return _rib(plain)
    words, levels, side = [], [], None
    for word in plain.split("_"):
        level = _level(word)
        if level is not None:
            levels.append(level)
        elif word in _SIDES and side is None:
            side = _SIDES[word]
        elif not word.isdigit():
            words.append(word)
    return _named(label, _LOBE.sub("lung", "_".join(words)), levels, side)


def _named(label: str, word: str, levels: list[str], side: Side | None) -> Role | None:
    """Return the role of a word with its levels and its side."""
    if word in {"", "vertebra", "vertebrae"}:
        if len(levels) != 1 or side is not None:
            return None
        if levels[0] in {"S1", "S2"}:
            return Role(name="sacrum", kind=Kind.SACRUM, level="S1")
        return Role(name=levels[0], kind=Kind.VERTEBRA, level=levels[0])
    first = word.partition("_")[0]
    kind = _KIND_OF.get(word) or (_KIND_OF[first] if first in _WITH_PLACE else None)
    if kind is Kind.SACRUM:
        return Role(name="sacrum", kind=kind, level="S1")
    if kind is None:
        return None
    level = levels[0] if len(levels) == 1 and kind is not Kind.DISC else None
    united = {"lung": f"lung_{side}" if side else "lung"}.get(word, label.strip())
    return Role(name=united, kind=kind, level=level, side=side)


def _level(word: str) -> str | None:
    found = _LEVEL.fullmatch(word)
    if found is None:
        return None
    level = f"{found[1][0].upper()}{int(found[2])}"
    return level if level in LEVELS else None


def _rib(plain: str) -> Role | None:
    found = _RIB.fullmatch(plain)
    side = _SIDES.get((found[1] or found[3] or "") if found else "")
    if found is None or side is None or not 1 <= int(found[2]) <= 12:
        return None
    number = int(found[2])
    return Role(name=f"rib_{side}_{number}", kind=Kind.RIB, level=f"T{number}", side=side)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """What a person says the labels of a segmentation mean; it goes before what names tell.

    Attributes:
        names: The name of each label number.
        roles: What a label, by number or name, is said to be.
    """

    names: Mapping[int, str]
    roles: Mapping[str, Role]

    def role(self, label: str) -> Role | None:
        """Return what a label means; None if nobody says it."""
        return self.roles.get(label) or role_of(label)


NO_TABLE = LabelTable(names={}, roles={})


def read_label_table(path: Path) -> LabelTable:
    """Read a label table: comma-separated, with the columns label, name, kind, level, side.

    ``label`` is a number in a label map, or a segment's or file's name. The others may be empty or
    left out: kind, level and side are then those that the name tells.

    Raises:
        CaseError: Naming the line and the column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(
            f"the label table {path} cannot be read: {error}",
            field="labels", code="unreadable-file",
        ) from None  # fmt: skip
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    unknown = [c for c in rows.fieldnames or () if c not in COLUMNS]
    if unknown or "label" not in (rows.fieldnames or ()):
        raise CaseError(
            f"the label table needs the columns {', '.join(COLUMNS)} (label, and what is needed of "
            f"the others), not {', '.join(rows.fieldnames or ()) or 'an empty file'}",
            field="labels", code="bad-label-table",
        )  # fmt: skip
    names: dict[int, str] = {}
    roles: dict[str, Role] = {}
    for line, row in enumerate(rows, start=2):
        given = {column: (row.get(column) or "").strip() for column in COLUMNS}
        name = given["name"] or given["label"]
        if given["label"].isdigit():
            names[int(given["label"])] = name
        roles[name] = roles[given["label"]] = _stated(given, name, line)
    return LabelTable(names=names, roles=roles)


def _stated(given: Mapping[str, str], name: str, line: int) -> Role:
    """Return the role that one line of a table states, with what the name tells beyond it."""
    for column, choices in (("kind", KINDS), ("level", LEVELS), ("side", tuple(Side))):
        if given[column] and given[column] not in choices:
            raise CaseError(
                f"line {line} of the label table: {given[column]!r} is no {column}; use one of "
                f"{', '.join(choices)}",
                field=f"labels.{column}", code=f"unknown-{column}",
            )  # fmt: skip
    told = role_of(name)
    kind = given["kind"]
    if not kind and told is None:
        raise CaseError(
            f"line {line} of the label table: the name {name!r} tells no kind; give one of "
            f"{', '.join(KINDS)}",
            field="labels.kind", code="missing-field",
        )  # fmt: skip
    stated = None if not kind else Use(kind) if kind in tuple(Use) else Kind(kind)
    return Role(
        name=told.name if told and stated is None else name,
        kind=stated or (told.kind if told else Use.IGNORE),
        level=given["level"] or (told.level if told else None),
        side=Side(given["side"]) if given["side"] else (told.side if told else None),
    )
