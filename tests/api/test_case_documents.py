"""What is said of a case holds together, and landmarks that it states go before what is read."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from api.case_documents import case_document
from phantom.gallery import LEVELS, PELVIC
from planner.anatomy.describe import describe_case
from planner.case import Case

SIDES = ("left", "right")


@cache
def drawn() -> Case:
    return next(e for e in LEVELS if e.name == "L3").case()


def described(case: Case) -> dict[str, Any]:
    return case_document(case, describe_case(case))


@cache
def document() -> dict[str, Any]:
    return described(drawn())


def in_frame(vertebra: Mapping[str, Any], point: list[float]) -> np.ndarray:
    frame = vertebra["frame"]
    axes = np.array([frame["left"], frame["posterior"], frame["superior"]])
    return np.asarray(axes @ (np.array(point) - frame["origin_mm"]))


def test_a_described_body_holds_together() -> None:
    [vertebra] = document()["vertebrae"]
    body = vertebra["body"]
    walls = {0.0: vertebra["posterior_wall"]["middle_mm"], 1.0: body["anterior_wall_mm"]}
    zones = {2.0 / 3.0: body["anterior_third_mm"], 0.75: body["anterior_quarter_mm"]}
    for share, point in {**walls, **zones}.items():
        wanted = [0.0, (0.5 - share) * body["depth_mm"], 0.0]
        assert in_frame(vertebra, point) == pytest.approx(wanted, abs=0.05)
    for end, sign in (("superior", 1.0), ("inferior", -1.0)):
        plate = body[f"{end}_endplate"]
        height = sign * in_frame(vertebra, plate["middle_mm"])[2]
        assert height == pytest.approx(0.5 * body["posterior_height_mm"], abs=3.0)
        assert sign * np.array(plate["normal"]) @ vertebra["frame"]["superior"] > 0.95
    outline = np.array([in_frame(vertebra, point) for point in body["outline_mm"]])
    assert np.ptp(outline[:, 0]) == pytest.approx(body["width_mm"], abs=0.05)
    assert outline[:, 2] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("side", SIDES)
def test_a_described_isthmus_has_its_outline_and_ways_past_metal(side: str) -> None:
    pedicle = document()["vertebrae"][0]["pedicles"][side]
    around = np.array(pedicle["outline_mm"]) - pedicle["centre_mm"]
    assert around @ pedicle["axis"] == pytest.approx(0.0, abs=0.05)
    for wall in pedicle["walls"].values():
        gap = np.linalg.norm(np.array(pedicle["outline_mm"]) - wall, axis=1).min()
        assert gap < 0.1
    places = {way["place"] for way in pedicle["corridors"]}
    assert places <= ({"above", "below", "medial", "lateral"} if side == "left" else {"whole"})
    assert places


def test_a_screw_is_described_with_the_lucency_that_would_be_assumed() -> None:
    [screw] = document()["screws"]
    assert screw["halo"]["modelled"] is True
    assert screw["halo"]["radius_mm"] == pytest.approx(0.5 * screw["diameter_mm"] + 1.5, abs=0.02)
    assert "assumed" in screw["halo"]["reason"]


def test_everything_described_has_a_confidence_and_a_reason() -> None:
    said = document()
    entries = [*said["vertebrae"], *said["screws"], *said["derived"]["structures"]]
    entries += [one for v in said["vertebrae"] for one in v["pedicles"].values()]
    assert len(entries) >= 4
    for entry in entries:
        assert 0.0 < entry["confidence"] <= 1.0
        assert len(entry["reason"]) > 10


def test_stated_landmarks_stand_in_what_is_described() -> None:
    [before] = document()["vertebrae"]
    up = np.array(before["frame"]["superior"])
    stated = {
        "body_centre_mm": np.array(before["frame"]["origin_mm"]) + 0.5 * up,
        "left_pedicle_mm": np.array(before["pedicles"]["left"]["centre_mm"]) + up,
        "right_pedicle_mm": np.array([500.0, 0.0, 0.0]),
    }
    [after] = described(replace(drawn(), landmarks={"L3": stated}))["vertebrae"]
    left, right = (after["pedicles"][side] for side in SIDES)
    assert after["frame"]["origin_mm"] == pytest.approx(stated["body_centre_mm"], abs=0.01)
    assert left["centre_mm"] == pytest.approx(stated["left_pedicle_mm"], abs=0.01)
    for landmark in (after, left):
        assert (landmark["confidence"], landmark["reason"]) == (1.0, "given in the case")
    assert right["available"] is False
    assert right["outline_mm"] is None
    assert "no bone" in right["reason"]


def test_a_described_sacrum_has_ala_and_foramen_beside_its_pedicles() -> None:
    case = next(e for e in PELVIC if e.name == "sacrum_solid").case()
    [sacrum] = described(case)["vertebrae"]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pedicle = sacrum["pedicles"][side]
        ala = np.array([in_frame(sacrum, point) for point in pedicle["ala_outline_mm"]])
        middle, foramen = (in_frame(sacrum, pedicle[n]) for n in ("centre_mm", "foramen_mm"))
        assert sign * (ala.mean(axis=0) - middle)[0] > 5.0
        assert foramen[2] < middle[2] - 5.0
