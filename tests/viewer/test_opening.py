"""How a case gets into the viewer, and what is seen when the service is lost and comes back.

The tests share one page, on which small cases are opened one after another.
"""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from playwright.sync_api import Page, expect

from api.keys import FILE, KeyRing
from api.samples import sample_case
from tests.api.test_label_maps import DOCUMENT, labelled_case
from tests.viewer.steps import (
    assert_nothing_breaks_wcag_aa,
    bad_case,
    drop,
    drop_folder,
    state,
    uploading_at,
    zipped,
)

if TYPE_CHECKING:
    from tests.viewer.conftest import Service


def test_the_start_page_offers_samples_and_says_what_it_is_not(page: Page) -> None:
    expect(page.get_by_text("Research use only. Not a medical device.")).to_be_visible()
    expect(page.get_by_role("button", name="Loose left T8 screw")).to_be_visible()
    assert_nothing_breaks_wcag_aa(page)


def test_a_bad_file_is_refused_with_the_field_and_the_reason(page: Page, tmp_path: Path) -> None:
    page.get_by_label("or choose files").set_input_files(bad_case(tmp_path))
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("L3")
    refused.get_by_role("button", name="Dismiss").click()
    expect(refused).to_have_count(0)


def test_meshes_without_a_case_are_asked_about(page: Page) -> None:
    mesh = sample_case("lumbar-fracture") / "meshes" / "screw_L3_L.ply"
    page.get_by_label("or choose files").set_input_files([mesh])
    expect(page.get_by_label("kind of screw_L3_L.ply")).to_have_value("screw")
    expect(page.get_by_label("level of screw_L3_L.ply")).to_have_value("L3")
    expect(page.get_by_label("side of screw_L3_L.ply")).to_have_value("left")
    page.get_by_role("button", name="Open", exact=True).click()
    assert state(page, "s.opened") is None, "units and frame are never guessed"
    page.get_by_label("Frame").select_option("LPS")
    page.get_by_label("Units").select_option("mm")
    page.get_by_role("button", name="Open", exact=True).click()
    page.wait_for_function("trocar.model.state.opened && trocar.model.state.busy === null")
    [screw] = state(page, "s.opened.structures")
    assert (screw["kind"], screw["level"], screw["side"]) == ("screw", "L3", "left")
    page.get_by_role("button", name="Other case").click()
    expect(page.get_by_role("button", name="1 structure, ")).to_be_visible()


# The browser tells nobody else which parts a form has.
HEAR_WHAT_IS_SENT = (
    "() => { const send = window.send ??= XMLHttpRequest.prototype.send;"
    " XMLHttpRequest.prototype.send = function (body) {"
    " window.sent = [...body.keys()]; send.call(this, body) } }"
)


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
def test_a_dropped_label_map_is_sent_and_one_that_no_case_names_is_not(
    page: Page, tmp_path: Path, *, as_zip: bool
) -> None:
    folder = labelled_case(tmp_path / "dropped" / "case")
    (folder / "scan" / "other.nii.gz").write_bytes(b"named nowhere, and no scan")
    page.evaluate(HEAR_WHAT_IS_SENT)
    if as_zip:
        archive = shutil.make_archive(str(tmp_path / "case"), "zip", folder.parent)
        drop(page, "case.zip", Path(archive).read_bytes())
    else:
        drop_folder(page, folder)
    page.wait_for_function("trocar.model.state.opened && trocar.model.state.busy === null")
    assert page.evaluate("window.sent") == ["case", DOCUMENT["labelmap"]]
    [bone] = state(page, "s.opened.structures")
    assert (bone["name"], bone["kind"], bone["level"]) == ("L3", "vertebra", "L3")
    assert page.evaluate("[...trocar.scene.bodies.keys()]") == ["L3"]
    page.get_by_role("button", name="Other case").click()


def test_a_dropped_zip_is_seen_at_once_sent_and_read_with_what_is_wrong_in_it(page: Page) -> None:
    names = ["L3", "screw_L3_L", "screw_L3_R", "dural_sac", "skin"]
    page.evaluate(
        "() => { window.stages = []; trocar.model.watch(s => [s.busy, s.handedIn.size],"
        " s => stages.push([s.busy, s.handedIn.size, s.opened !== null])) }"
    )
    with uploading_at(page, 400_000.0):
        drop(page, "case.zip", zipped(*names, inside_out="screw_L3_R"))
        expect(page.get_by_text("5 structures as handed in, not yet checked")).to_be_visible()
        assert page.evaluate("[...trocar.scene.bodies.keys()]") == names
        page.wait_for_function("trocar.model.state.opened && trocar.model.state.busy === null")
    stages = page.evaluate("window.stages")
    assert ["Handing in the case", 5, False] in stages, "it is drawn before it is sent"
    said = "\n".join(busy or "" for busy, *_ in stages)
    shares = [int(share) for share in re.findall(r": (\d+) % sent", said)]
    assert shares == sorted(shares)
    assert any(0 < share < 100 for share in shares)
    assert state(page, "s.opened.structures.map(t => t.name)") == names
    [problem] = state(page, "s.opened.structures.find(t => t.name === 'screw_L3_R').problems")
    expect(page.locator(".remarks")).to_contain_text(problem["message"])


def test_a_service_that_comes_back_with_keys_and_without_the_case_asks_for_both(
    page: Page, service: "Service"
) -> None:
    lost = state(page, "s.opened.case_id")
    service.kill()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    key = KeyRing(service.folder / "other data" / FILE).add("viewer")
    service.start("other data")
    page.get_by_label("This service asks for a key").fill(key)
    page.get_by_role("button", name="Enter").click()
    page.get_by_role("button", name="Open it again").click()
    page.wait_for_function(
        "c => trocar.model.state.opened?.case_id !== c && trocar.model.state.busy === null",
        arg=lost,
    )
    expect(page.get_by_role("alert")).to_have_count(0)
    refused = httpx2.get(f"{service.address}/v1/cases")
    assert refused.status_code == 401, "the key is asked for, and the viewer shows it"
