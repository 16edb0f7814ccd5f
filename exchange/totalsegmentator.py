"""The numbers of TotalSegmentator's ``total`` label maps, which differ between its versions.

One file per class needs no numbers, and label maps that the tool writes itself carry the names in
their header. From the public class lists of versions 1 and 2.
"""

from collections.abc import Mapping, Sequence

from exchange.labels import LabelTable

_LOBES = (
    "lung_upper_lobe_left", "lung_lower_lobe_left", "lung_upper_lobe_right",
    "lung_middle_lobe_right", "lung_lower_lobe_right",
)  # fmt: skip

_UP = (
    *(f"vertebrae_L{n}" for n in range(5, 0, -1)),
    *(f"vertebrae_T{n}" for n in range(12, 0, -1)),
    *(f"vertebrae_C{n}" for n in range(7, 0, -1)),
)
_RIBS = tuple(f"rib_{side}_{n}" for side in ("left", "right") for n in range(1, 13))


def _pairs(*words: str, first: str = "left") -> tuple[str, ...]:
    sides = (first, "right" if first == "left" else "left")
    return tuple(f"{word}_{side}" for word in words for side in sides)


_BACK = _pairs("gluteus_maximus", "gluteus_medius", "gluteus_minimus", "autochthon", "iliopsoas")
_LIMBS = _pairs("humerus", "scapula", "clavicula", "femur", "hip")

V1: Sequence[str] = (
    "spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "aorta",
    "inferior_vena_cava", "portal_vein_and_splenic_vein", "pancreas", "adrenal_gland_right",
    "adrenal_gland_left", *_LOBES, *_UP, "esophagus", "trachea", "heart_myocardium",
    "heart_atrium_left", "heart_ventricle_left", "heart_atrium_right", "heart_ventricle_right",
    "pulmonary_artery", "brain", *_pairs("iliac_artery", "iliac_vena"), "small_bowel", "duodenum",
    "colon", *_RIBS, *_LIMBS, "sacrum", "face", *_BACK, "urinary_bladder",
)  # fmt: skip
V2: Sequence[str] = (
    "spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas",
    "adrenal_gland_right", "adrenal_gland_left", *_LOBES, "esophagus", "trachea", "thyroid_gland",
    "small_bowel", "duodenum", "colon", "urinary_bladder", "prostate", *_pairs("kidney_cyst"),
    "sacrum", "vertebrae_S1", *_UP, "heart", "aorta", "pulmonary_vein", "brachiocephalic_trunk",
    *_pairs("subclavian_artery", "common_carotid_artery", first="right"),
    *_pairs("brachiocephalic_vein"), "atrial_appendage_left", "superior_vena_cava",
    "inferior_vena_cava", "portal_vein_and_splenic_vein", *_pairs("iliac_artery", "iliac_vena"),
    *_LIMBS, "spinal_cord", *_BACK, "brain", "skull", *_RIBS, "sternum", "costal_cartilages",
)  # fmt: skip


def _table(names: Sequence[str]) -> LabelTable:
    return LabelTable(names=dict(enumerate(names, start=1)), roles={})


TABLES: Mapping[str, LabelTable] = {
    "totalsegmentator-v1": _table(V1),
    "totalsegmentator-v2": _table(V2),
}
