"""What a radiologist does with the viewer, step by step, and what must be seen then.

The tests share one page and one plan, since a browser without a graphics card is slow.
"""

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from api.keys import FILE, KeyRing
from api.samples import sample_case
from tests.viewer.steps import (
    ON_SCREEN,
    WAIT_MS,
    assert_nothing_breaks_wcag_aa,
    drop,
    handle,
    state,
    taken,
    zipped,
)

if TYPE_CHECKING:
    from tests.viewer.conftest import Service


def test_the_start_page_offers_samples_and_says_what_it_is_not(page: Page) -> None:
    expect(page.get_by_text("Research use only. Not a medical device.")).to_be_visible()
    expect(page.get_by_role("button", name="Loose left T8 screw")).to_be_visible()
    assert_nothing_breaks_wcag_aa(page)


def test_a_bad_file_is_refused_with_the_field_and_the_reason(page: Page, tmp_path: Path) -> None:
    document = {
        "schema": "trocar/case/1", "name": "bad", "coordinate_system": "LPS", "units": "mm",
        "structures": [{"name": "L3", "kind": "vertebra", "level": "L3", "file": "L3.stl"}],
    }  # fmt: skip
    (tmp_path / "case.json").write_text(json.dumps(document))
    (tmp_path / "L3.stl").write_bytes(b"\0" * 84)
    page.get_by_label("or choose files").set_input_files(
        [tmp_path / "case.json", tmp_path / "L3.stl"]
    )
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


def test_every_structure_is_drawn_and_can_be_hidden(case: Page) -> None:
    assert state(case, "s.undrawn.size") == 0
    assert state(case, "s.meshes.size") >= 15
    screw = case.get_by_label("show screw_L3_L", exact=True)
    shown = "trocar.scene.bodies.get('screw_L3_L').visible"
    screw.uncheck()
    assert not case.evaluate(shown)
    screw.check()
    assert case.evaluate(shown)


def test_a_click_on_a_screw_offers_it_as_target(case: Page) -> None:
    screw = "s.opened.screws.findIndex(t => t.structure === 'screw_L3_L')"
    at = handle(case, f"opened.screws[{state(case, screw)}].head_mm")
    case.mouse.click(at["x"], at["y"])
    case.get_by_role("button", name="Aim at the bone beside the tip of screw_L3_L").click()
    assert state(case, "s.target") == {"type": "screw_tip", "screw": "screw_L3_L"}


def test_a_structure_fades_and_a_cut_takes_away_what_lies_before_it(case: Page) -> None:
    case.get_by_label("opacity of L3", exact=True).fill("0.5")
    material = "trocar.scene.bodies.get('L3').material"
    assert case.evaluate(f"{material}.opacity") == 0.5
    for plane, planes in (("axial", 1), ("off", 0)):
        case.get_by_label("cutting plane").select_option(plane)
        assert case.evaluate(f"({material}.clippingPlanes ?? []).length") == planes


def test_without_a_plan_it_is_said_how_to_get_one(case: Page) -> None:
    expect(case.get_by_text("No plan yet: choose a target and press Plan.")).to_be_visible()
    expect(case.get_by_text("the simulated view appears with a plan")).to_be_visible()


def test_sections_of_a_mesh_are_rings_about_what_they_cut(case: Page) -> None:
    """The dural sac, cut across, is one ring that surrounds the sac's middle."""
    low, high = state(case, "s.opened.structures.find(t => t.name === 'dural_sac').bounds_mm")
    rings = case.evaluate("h => trocar.outlinesAcross('dural_sac', h)", (low[2] + high[2]) / 2.0)
    assert len(rings) == 1
    assert rings[0]["closed"]
    x = [point[0] for point in rings[0]["points"]]
    y = [point[1] for point in rings[0]["points"]]
    assert max(x) - min(x) <= high[0] - low[0] + 0.01
    assert max(y) - min(y) <= high[1] - low[1] + 0.01
    assert max(x) - min(x) > 8.0


def test_the_tightest_structure_is_named_in_large_type(planned: Page) -> None:
    best = state(planned, "s.plan.trajectories[0]")
    verdict = planned.get_by_label("What limits the needle")
    expect(verdict).to_contain_text(f"{best['margin_mm']:.1f} mm")
    expect(verdict).to_contain_text(best["limiting_structure"])
    size = verdict.locator(".big").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size > 20.0


def test_a_closed_way_says_why_and_what_would_open_it(planned: Page) -> None:
    planned.get_by_text(re.compile("Why not")).click()
    closed = planned.locator("article", has_text="11G-120")
    expect(closed).to_contain_text("proved closed")
    expect(closed).to_contain_text("in the way: screw_L3_L")
    expect(closed).to_contain_text("with 12G-120")


def test_console_angles_turn_into_those_of_the_plan(planned: Page) -> None:
    """The browser's change of axes agrees with the service for every view of the plan."""
    views = state(planned, "s.plan.trajectories.flatMap(t => t.views)")
    assert views
    for view in views:
        turned = planned.evaluate("v => trocar.otherAngles(v, 'HFP')", view["console"])
        assert turned["secondary_deg"] == pytest.approx(view["dicom"]["secondary_deg"], abs=0.011)
        gap = turned["primary_deg"] - view["dicom"]["primary_deg"]
        assert abs((gap + 180.0) % 360.0 - 180.0) < 0.02


def test_a_key_turns_the_c_arm_and_a_new_picture_comes(planned: Page) -> None:
    planned.wait_for_function("document.querySelector('.fluoro').dataset.state === 'shown'")
    before = planned.get_by_alt_text("Simulated fluoroscopic view").get_attribute("src")
    planned.keyboard.press("l")
    lateral = planned.get_by_role("button", name=re.compile("^Lateral"))
    expect(lateral).to_have_attribute("aria-pressed", "true")
    planned.wait_for_function(
        "s => { const f = document.querySelector('.fluoro');"
        " return f.dataset.state === 'shown' && f.querySelector('img').src !== s }",
        arg=before,
    )


def test_the_section_scrolls_along_the_needle_and_tells_the_measured_distance(
    planned: Page,
) -> None:
    planned.wait_for_function("trocar.model.state.profile !== null")
    best = state(planned, "s.plan.trajectories.find(t => t.rank === s.rank)")
    reading = planned.locator(".reading")
    expect(reading).to_contain_text(best["limiting_structure"])
    depth = state(planned, "s.depthMm")
    planned.keyboard.press("]")
    assert state(planned, "s.depthMm") == pytest.approx(depth + 1.0)


def test_the_workplace_breaks_no_rule_and_fits_into_small_and_large_windows(planned: Page) -> None:
    planned.evaluate("document.querySelectorAll('aside details').forEach(d => (d.open = true))")
    assert_nothing_breaks_wcag_aa(planned)
    for width, height in ((1920, 1080), (1366, 768)):
        planned.set_viewport_size({"width": width, "height": height})
        assert planned.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("Scene", "Clearance along the needle", "Plan", "C-arm"):
            box = planned.get_by_role("region", name=name, exact=True).bounding_box()
            assert box is not None
            assert box["x"] >= 0.0
            assert box["x"] + box["width"] <= width
            assert box["height"] > 80.0, name


def test_progress_was_told_while_the_plan_was_made(planned: Page) -> None:
    told = [one for one in planned.evaluate("window.told") if one is not None]
    assert told
    assert all(0.0 <= one["share"] <= 1.0 and one["stage"] for one in told)


def test_the_gate_shows_the_room_that_metal_leaves(planned: Page) -> None:
    planned.get_by_label("second section").select_option("gate of the pedicle")
    expect(planned.locator(".gate-note")).to_contain_text(re.compile(r"widest free circle \d"))
    drawn = planned.evaluate(
        "[...document.querySelectorAll('.sections canvas')].map(c => new Set("
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size)"
    )
    assert min(drawn) > 20, "a section is blank"


def test_what_metal_hides_and_what_the_c_arm_reaches_is_said_of_every_view(planned: Page) -> None:
    for view in state(planned, "s.plan.trajectories.find(t => t.rank === s.rank).views"):
        planned.locator(f"button[data-role={view['role']}]").click()
        said = planned.locator(".convention")
        expect(said).to_contain_text(
            f"metal hides {math.floor(100 * view['hardware_overlap'] + 0.5)} %"
        )
        expect(said).to_contain_text(" in reach of" if view["reachable"] else "out of reach of")
        expect(said).to_contain_text("RAO 100° to LAO 100°")
    roles = {view["role"] for view in state(planned, "s.plan.trajectories[0].views")}
    assert {"bulls_eye", "progress", "posterior_wall", "throw_off_ap", "true_lateral"} <= roles
    curve = state(planned, "s.plan.trajectories[0].views.flatMap(v => v.curve ?? [])")
    assert planned.locator(".map circle.progress").count() == len(curve) > 10


def test_a_slider_turns_the_c_arm_and_tells_the_consoles_angle(planned: Page) -> None:
    planned.get_by_label("RAO LAO angle, degrees").fill("-30")
    expect(planned.locator(".console output").first).to_have_text("RAO 30.0°")
    assert state(planned, "s.angles.primary_deg") == -30


def test_the_skin_is_coloured_by_margins_and_a_touched_place_draws_its_path(planned: Page) -> None:
    planned.keyboard.press("m")
    planned.wait_for_function("trocar.model.state.skin !== null")
    places = state(planned, "s.skin.places.filter(p => p.margin_mm !== null)")
    margins = [one["margin_mm"] for one in places]
    legend = planned.get_by_label("Skin map")
    expect(legend).to_contain_text(f"Largest: {max(margins):.1f} mm")
    spots = [planned.evaluate(ON_SCREEN, one["entry_mm"]) for one in places[:: len(places) // 20]]
    free = "at => document.elementFromPoint(at.x, at.y) === trocar.scene.canvas"
    at = next(spot for spot in spots if planned.evaluate(free, spot))
    planned.touchscreen.tap(at["x"], at["y"])
    planned.get_by_role("button", name="Draw this path").tap()
    planned.wait_for_function("trocar.model.state.drawn && !trocar.model.state.measuring")
    drawn = state(planned, "s.drawn")
    assert any(drawn["margin_mm"] == pytest.approx(margin, abs=2e-3) for margin in margins)
    expect(planned.locator(".fluoro[data-state=shown]")).to_be_visible()
    planned.get_by_role("button", name="compare no. 1").click()
    expect(planned.locator(".comparison")).to_contain_text("Against the drawn path, no. 1 has")


def test_a_drawn_path_and_the_lock_stay_in_the_address(planned: Page, chromium: Browser) -> None:
    planned.keyboard.press("k")
    for name in ("Move the target", "Draw a path", "Plan"):
        expect(planned.get_by_role("button", name=name, exact=True)).to_be_disabled()
    again = chromium.new_page(viewport={"width": 800, "height": 300}, bypass_csp=True)
    again.set_default_timeout(WAIT_MS)
    again.goto(planned.url)
    again.wait_for_function("trocar.model.state.locked && trocar.model.state.compared === 1")
    assert state(again, "[s.rank, s.drawn]") == state(planned, "[s.rank, s.drawn]")
    again.close()
    planned.keyboard.press("k")
    planned.get_by_role("button", name="compare no. 1").click()


def test_a_margin_can_be_changed_and_counts_at_once(planned: Page) -> None:
    largest = "Math.max(...s.skin.places.map(p => p.margin_mm ?? -Infinity))"
    before = state(planned, largest)
    planned.get_by_label("limit of screw, mm").fill("3")
    planned.get_by_label("limit of screw, mm").press("Tab")
    assert state(planned, "s.policy.screw") == {"hard_mm": 3, "preferred_mm": 1}
    assert state(planned, "s.skin") is None, "the map was of another question"
    planned.get_by_role("button", name="Skin map").click()
    planned.wait_for_function("trocar.model.state.skin !== null")
    assert state(planned, largest) < before
    planned.get_by_role("button", name="default margins for screw").click()
    assert state(planned, "s.policy") == {}


def test_the_address_alone_shows_the_same_plan(planned: Page, chromium: Browser) -> None:
    before = state(planned, "[s.opened.case_id, s.planId, s.rank]")
    again = chromium.new_page()
    forbidden: list[str] = []
    again.on("console", lambda said: forbidden.append(said.text) if "Policy" in said.text else None)
    again.goto(planned.url)
    expect(again.locator("tr[aria-selected=true]")).to_be_visible()
    expect(again.locator(".fluoro[data-state=shown]")).to_be_visible()
    assert state(again, "[s.opened.case_id, s.planId, s.rank]") == before
    assert not forbidden, "the page asks for what its own policy forbids"
    again.close()


def test_all_that_is_offered_can_be_taken_away(planned: Page) -> None:
    planned.keyboard.press("1")
    plan = json.loads(taken(planned, "Plan (JSON)"))
    assert plan["trajectories"] == state(planned, "s.plan.trajectories")
    assert "markups" in json.loads(taken(planned, "Slicer markups"))
    assert taken(planned, "Sheet of no. 1 (PDF)").startswith(b"%PDF")
    assert taken(planned, "3D scene (GLB)").startswith(b"glTF")
    for picture in ("This view (PNG)", "Preview (PNG)"):
        assert taken(planned, picture).startswith(b"\x89PNG")


def test_a_dragged_target_is_followed_by_a_path(planned: Page) -> None:
    planned.keyboard.press("1")
    planned.get_by_role("button", name="Move the target").click()
    planned.wait_for_function("trocar.model.state.live !== null")
    before = state(planned, "s.aim")
    at = handle(planned, "aim")
    planned.mouse.move(at["x"], at["y"])
    planned.mouse.down()
    planned.mouse.move(at["x"] + 6, at["y"] + 3)
    planned.mouse.up()
    planned.wait_for_function(
        "trocar.model.state.live.request.target.position_mm === trocar.model.state.aim"
    )
    after = state(planned, "s.aim")
    assert after != before
    [followed] = state(planned, "s.live.classes")
    assert followed["path"] is not None
    tip = followed["path"][-1]["end_mm"]
    assert sum((a - b) ** 2 for a, b in zip(tip, after, strict=True)) ** 0.5 < 3.0
    planned.get_by_role("button", name="Undo").click()
    assert state(planned, "s.aim") == before
    planned.get_by_role("button", name="Move the target").click()


def test_a_path_drawn_into_the_canal_is_measured_and_refused_by_its_margin(planned: Page) -> None:
    planned.get_by_role("button", name="Draw a path").click()
    planned.wait_for_function("trocar.model.state.rank === 0 && !trocar.model.state.measuring")
    undisturbed = state(planned, "s.drawn.margin_mm")
    best = state(planned, "s.plan.trajectories[0].margin_mm")
    assert undisturbed == pytest.approx(best, abs=1e-3)
    sac = "s.opened.structures.find(t => t.name === 'dural_sac').bounds_mm"
    low, high = state(planned, sac)
    middle = [(a + b) / 2.0 for a, b in zip(low, high, strict=True)]
    planned.evaluate("tip => trocar.actions.editing.dragPath({ tip }, true)", middle)
    planned.wait_for_function(
        "!trocar.model.state.measuring && trocar.model.state.drawn.limiting_structure"
    )
    assert state(planned, "s.drawn.margin_mm") < 0.0
    expect(planned.get_by_label("What limits the needle")).to_contain_text("breaks a limit")
    planned.get_by_role("button", name="Draw a path").click()


def test_the_view_down_a_needle_is_the_plans_own(planned: Page) -> None:
    """The browser's angles for a preview are those the service gives for the same path."""
    for trajectory in state(planned, "s.plan.trajectories"):
        seen = planned.evaluate("path => trocar.bullsEyeOf(path)", trajectory["path"])
        given = next(v for v in trajectory["views"] if v["role"] == "bulls_eye")["dicom"]
        assert seen["primary_deg"] == pytest.approx(given["primary_deg"], abs=0.01)
        assert seen["secondary_deg"] == pytest.approx(given["secondary_deg"], abs=0.01)


def test_a_dropped_zip_opens_as_a_case(case: Page) -> None:
    case.get_by_role("button", name="Other case").click()
    drop(case, "case.zip", zipped("L3", "screw_L3_L", "screw_L3_R", "dural_sac", "skin"))
    case.wait_for_function("trocar.model.state.opened && trocar.model.state.busy === null")
    assert state(case, "s.opened.structures.map(t => t.name)") == [
        "L3", "screw_L3_L", "screw_L3_R", "dural_sac", "skin",
    ]  # fmt: skip


def test_a_service_that_comes_back_with_keys_and_without_the_case_asks_for_both(
    case: Page, service: "Service"
) -> None:
    lost = state(case, "s.opened.case_id")
    service.kill()
    expect(case.get_by_role("alert")).to_contain_text("does not answer")
    key = KeyRing(service.folder / "other data" / FILE).add("viewer")
    service.start("other data")
    case.get_by_label("This service asks for a key").fill(key)
    case.get_by_role("button", name="Enter").click()
    case.get_by_role("button", name="Open it again").click()
    case.wait_for_function(
        "c => trocar.model.state.opened?.case_id !== c && trocar.model.state.busy === null",
        arg=lost,
    )
    expect(case.get_by_role("alert")).to_have_count(0)
    refused = httpx2.get(f"{service.address}/v1/cases")
    assert refused.status_code == 401, "the key is asked for, and the viewer shows it"
