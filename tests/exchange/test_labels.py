"""What names mean: known ones are told, others never guessed."""

from pathlib import Path

import pytest

from exchange.labels import Use, read_label_table, role_of
from exchange.totalsegmentator import V1, V2
from planner.case import Kind, Side
from planner.errors import CaseError


@pytest.mark.parametrize("name", sorted({*V1, *V2}))
def test_every_class_of_totalsegmentator_is_known(name: str) -> None:
    role = role_of(name)
    assert role is not None
    sides = {side for side in Side if side.value in name.split("_")}
    if isinstance(role.kind, Kind):
        assert ({role.side} if role.side else set()) == sides


@pytest.mark.parametrize(
    ("label", "kind", "level", "side"),
    [
        ("vertebrae_L3", Kind.VERTEBRA, "L3", None),
        ("Th5", Kind.VERTEBRA, "T5", None),
        ("vertebrae_S1", Kind.SACRUM, "S1", None),
        ("vertebrae_C3", Kind.OTHER_BONE, None, None),
        ("rib_right_7", Kind.RIB, "T7", Side.RIGHT),
        ("rib_L11", Kind.RIB, "T11", Side.LEFT),
        ("hip_left", Kind.ILIUM, None, Side.LEFT),
        ("lung_upper_lobe_left", Kind.ORGAN, None, Side.LEFT),
        ("screw L3 left", Kind.SCREW, "L3", Side.LEFT),
        ("halo_ilium_R", Kind.HALO, None, Side.RIGHT),
        ("Spinal canal", Kind.CANAL, None, None),
        ("spinal_cord", Kind.NERVE_ROOT, None, None),
        ("body_trunc", Kind.SKIN, None, None),
        ("Metal", Use.METAL, None, None),
        ("iliopsoas_left", Use.IGNORE, None, Side.LEFT),
    ],
)
def test_a_name_tells_kind_level_and_side(
    label: str, kind: Kind | Use, level: str | None, side: Side | None
) -> None:
    role = role_of(label)
    assert role is not None
    assert (role.kind, role.level, role.side) == (kind, level, side)


@pytest.mark.parametrize(
    "label", ["Segment_1", "L3 L4", "rib_13_left", "rib_7", "12", "L3 left", ""]
)
def test_what_tells_nothing_certain_is_not_known(label: str) -> None:
    assert role_of(label) is None


def test_a_table_goes_before_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "label,name,kind,level,side\n"
        "1,vertebrae_L3,,,\n2,Segment_9,metal,,\n3,tumour of L3,lesion,L3,\naorta,,ignore,,\n"
    )
    table = read_label_table(path)
    assert table.names == {1: "vertebrae_L3", 2: "Segment_9", 3: "tumour of L3"}
    said = {
        label: table.role(label) for label in ("vertebrae_L3", "Segment_9", "tumour of L3", "aorta")
    }
    assert [role.kind if role else None for role in said.values()] == [
        Kind.VERTEBRA, Use.METAL, Kind.LESION, Use.IGNORE
    ]  # fmt: skip
    lesion = table.role("tumour of L3")
    assert lesion is not None
    assert lesion.level == "L3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nL3\n", "needs the columns label"),
        ("label,colour\n1,red\n", "not label, colour"),
        ("label,kind\n1,bone\n", "line 2 .* 'bone' is no kind; use one of vertebra"),
        ("label,name\n1,Segment_1\n", "tells no kind"),
        ("label,kind,level\n1,vertebra,L9\n", "'L9' is no level"),
    ],
)
def test_a_table_with_a_mistake_is_refused_by_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(CaseError, match=said):
        read_label_table(path)
