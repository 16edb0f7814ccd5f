"""What a radiologist does with a case in the viewer, step by step, and what must be seen then.

The tests share one page and one plan, since a browser without a graphics card is slow.
"""

import json
import math
import re
from io import BytesIO
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.viewer.steps import (
    ON_SCREEN,
    WAIT_MS,
    assert_nothing_breaks_wcag_aa,
    handle,
    pull,
    state,
    taken,
)


def test_every_structure_is_drawn_and_can_be_hidden(case: Page) -> None:
    assert state(case, "s.undrawn.size") == 0
    assert state(case, "s.meshes.size") >= 15
    screw = case.get_by_label("show screw_L3_L", exact=True)
    shown = "trocar.scene.bodies.get('screw_L3_L').visible"
    screw.uncheck()
    assert not case.evaluate(shown)
    screw.check()
    assert case.evaluate(shown)


def test_a_click_offers_the_screw_and_the_level_behind_it_as_targets(case: Page) -> None:
    screw = "s.opened.screws.findIndex(t => t.structure === 'screw_L3_L')"
    at = handle(case, f"opened.screws[{state(case, screw)}].head_mm")
    case.mouse.click(at["x"], at["y"])
    expect(case.get_by_role("button", name="Aim at the anterior third of L3")).to_be_visible()
    case.get_by_role("button", name="Aim at the bone beside the tip of screw_L3_L").click()
    assert state(case, "s.target") == {"type": "screw_tip", "screw": "screw_L3_L"}
    glow = "trocar.scene.bodies.get('screw_L3_L').material.emissive.getHex()"
    assert case.evaluate(glow) > 0, "what is aimed at stands out"
    marked = case.locator("li", has=case.get_by_role("img", name="target", exact=True))
    expect(marked).to_contain_text("screw_L3_L")


def test_letters_at_the_edges_say_how_the_patient_lies(case: Page) -> None:
    for view, right, top in (("Back", "R", "S"), ("Left", "P", "S"), ("Head", "R", "A")):
        case.get_by_role("button", name=view, exact=True).click()
        expect(case.locator(".edge.right")).to_have_text(right)
        expect(case.locator(".edge.top")).to_have_text(top)


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
    expect(planned.locator("tr[aria-selected=true]")).to_have_attribute("data-rank", "1")
    verdict = planned.get_by_label("What limits the needle")
    expect(verdict).to_contain_text(f"{best['margin_mm']:.1f} mm")
    expect(verdict).to_contain_text(best["limiting_structure"])
    size = verdict.locator(".big").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size > 20.0
    drawn = planned.evaluate("trocar.scene.needles.children[0].children[0].geometry.parameters")
    assert 2.0 * drawn["radiusTop"] == pytest.approx(best["outer_diameter_mm"])


def test_the_table_tells_what_distinguishes_the_paths(planned: Page) -> None:
    for path in state(planned, "s.plan.trajectories"):
        row = planned.locator(f"tr[data-rank='{path['rank']}']")
        seen = next(view["label"] for view in path["views"] if view["role"] == "bulls_eye")
        told = (
            f"{path['approach']} {path['side']}", path["needle"], f"{path['margin_mm']:.1f} mm",
            path["limiting_structure"], f"{path['length_mm']:.0f} mm", seen,
            f"{path['tolerance']['entry_mm']:.1f} mm, {path['tolerance']['angle_deg']:.1f}°",
        )  # fmt: skip
        for text in told:
            expect(row).to_contain_text(text)


def test_cards_cover_neither_the_needle_nor_the_letters(planned: Page) -> None:
    card = planned.get_by_label("What limits the needle").bounding_box()
    assert card is not None
    for place in ("entry_skin_mm", "tip_mm"):
        at = handle(planned, f"plan.trajectories[0].{place}")
        assert at["x"] > card["x"] + card["width"]
    for letter in planned.locator(".edge").all():
        box = letter.bounding_box()
        assert box is not None
        assert box["x"] >= card["x"] + card["width"]


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
    across = planned.get_by_label("Section across the needle, seen from the hub")
    across.hover()
    pictures = set()
    for share in (0.3, 0.6, 0.9):
        planned.get_by_label("depth along the needle, mm").fill(f"{share * best['length_mm']:.1f}")
        depth = state(planned, "s.depthMm")
        planned.mouse.wheel(0.0, 100.0)
        planned.wait_for_function("d => trocar.model.state.depthMm === d + 0.5", arg=depth)
        expect(reading).to_contain_text(f"{depth + 0.5:.1f} mm deep")
        pictures.add(across.evaluate("c => c.toDataURL()"))
    assert len(pictures) == 3, "the picture goes with the depth"
    box = planned.locator(".plot svg").bounding_box()
    assert box is not None
    planned.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 20.0)
    assert 0.3 < state(planned, "s.depthMm") / best["length_mm"] < 0.7


def test_the_workplace_breaks_no_rule_and_fits_into_small_and_large_windows(planned: Page) -> None:
    planned.evaluate("document.querySelectorAll('aside details').forEach(d => (d.open = true))")
    assert_nothing_breaks_wcag_aa(planned)
    for width, height in ((3840, 2160), (1920, 1080), (1366, 768)):
        planned.set_viewport_size({"width": width, "height": height})
        assert planned.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("Scene", "Clearance along the needle", "Plan", "C-arm"):
            box = planned.get_by_role("region", name=name, exact=True).bounding_box()
            assert box is not None
            assert box["x"] >= 0.0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
            assert box["height"] > 80.0, name
            assert box["height"] > height / 9.0, f"{name} grows with the window"


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


def test_targets_of_one_session_are_planned_together_and_stay_in_the_address(
    planned: Page, chromium: Browser
) -> None:
    """The way to the screw's tip collides with the needle to the body: one goes without."""
    target = planned.get_by_label("Target", exact=True)
    for name in ("bone beside the tip of screw_L2_L", "anterior third of L2"):
        target.select_option(name)
        planned.get_by_role("button", name="Add to the session").click()
    planned.get_by_role("button", name="Plan 2 targets").click()
    planned.wait_for_function("trocar.model.state.session && trocar.model.state.planId")
    session = planned.get_by_role("region", name="Session", exact=True)
    expect(session).to_contain_text("not for every target")
    served, left_out = state(planned, "s.session.targets")
    assert (served["chosen_ranks"], left_out["chosen_ranks"]) == ([1], [])
    expect(session.get_by_role("button", name=left_out["label"])).to_contain_text("none chosen")
    assert "collides" in left_out["reason"]
    assert json.loads(taken(planned, "Session (JSON)")) == state(planned, "s.session")
    assert taken(planned, "Sheets of the session (PDF)").startswith(b"%PDF")
    same = "[s.opened.case_id, s.sessionId, s.sessionAt, s.planId, s.rank, s.sessionTargets]"
    before = state(planned, same)
    again = chromium.new_page()
    forbidden: list[str] = []
    again.on("console", lambda said: forbidden.append(said.text) if "Policy" in said.text else None)
    again.goto(planned.url)
    expect(again.locator("tr[aria-selected=true]")).to_be_visible()
    expect(again.locator(".fluoro[data-state=shown]")).to_be_visible()
    assert state(again, same) == before
    assert not forbidden, "the page asks for what its own policy forbids"
    again.close()


def test_all_that_is_offered_can_be_taken_away(planned: Page) -> None:
    planned.keyboard.press("1")
    plan = json.loads(taken(planned, "Plan (JSON)"))
    assert plan["trajectories"] == state(planned, "s.plan.trajectories")
    assert "markups" in json.loads(taken(planned, "Slicer markups"))
    assert taken(planned, "Sheet of no. 1 (PDF)").startswith(b"%PDF")
    assert taken(planned, "3D scene (GLB)").startswith(b"glTF")
    assert {"proof.json"} <= set(ZipFile(BytesIO(taken(planned, "Proof (ZIP)"))).namelist())
    for picture in ("This view (PNG)", "Preview (PNG)"):
        assert taken(planned, picture).startswith(b"\x89PNG")


def test_a_dragged_target_is_followed_by_a_path(planned: Page) -> None:
    planned.keyboard.press("1")
    planned.get_by_role("button", name="Move the target").click()
    planned.wait_for_function("trocar.model.state.live !== null")
    before = state(planned, "s.aim")
    planned_section = planned.evaluate("document.querySelector('.sections canvas').toDataURL()")
    pull(planned, "aim", 6.0, 3.0)
    planned.wait_for_function(
        "trocar.model.state.live.request.target.position_mm === trocar.model.state.aim"
    )
    after = state(planned, "s.aim")
    assert after != before
    [followed] = state(planned, "s.live.classes")
    assert followed["path"] is not None
    tip = followed["path"][-1]["end_mm"]
    assert math.dist(tip, after) < 3.0
    across = planned.evaluate("document.querySelector('.sections canvas').toDataURL()")
    assert across != planned_section, "the sections follow too"
    told = planned.get_by_label("Following the target")
    expect(told).to_contain_text(f"{followed['best_margin_mm']:.1f} mm margin")
    expect(told).to_contain_text(followed["limiting_structures"][0])
    expect(told).to_contain_text(re.compile(r"[LR][AP]O \d+"))
    planned.get_by_role("button", name="Undo").click()
    assert state(planned, "s.aim") == before
    planned.get_by_role("button", name="Move the target").click()


def test_a_path_drawn_into_the_canal_is_measured_and_refused_by_its_margin(planned: Page) -> None:
    planned.get_by_role("button", name="Draw a path").click()
    planned.wait_for_function("trocar.model.state.rank === 0 && !trocar.model.state.measuring")
    undisturbed = state(planned, "s.drawn.margin_mm")
    best = state(planned, "s.plan.trajectories[0].margin_mm")
    assert undisturbed == pytest.approx(best, abs=1e-3)
    start = state(planned, "s.sketch")
    pull(planned, "sketch.entry", -12.0, 9.0)
    planned.wait_for_function("!trocar.model.state.measuring")
    entry, tip = state(planned, "[s.drawn.entry_skin_mm, s.drawn.tip_mm]")
    assert tip == pytest.approx(start["tip"])
    assert math.dist(entry, start["entry"]) > 2.0
    assert state(planned, "s.drawn.margin_mm") != undisturbed
    assert json.loads(taken(planned, "Drawn path (JSON)"))["entry_skin_mm"] == entry
    planned.get_by_role("button", name="Undo").click()
    planned.wait_for_function(
        "e => !trocar.model.state.measuring && trocar.model.state.sketch.entry[0] === e",
        arg=start["entry"][0],
    )
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
