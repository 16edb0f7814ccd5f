/** Moving the target with paths that follow, and drawing a path of one's own to have it measured. */

import type { Actions } from "../actions";
import { bullsEye, otherAngles, viewName } from "../carm";
import type { LiveClass, Vec3 } from "../contract";
import { degrees, fill, h, mm, words } from "../dom";
import type { LiveAnswer } from "../live";
import { needleColour } from "../looks";
import { bestFirst, editingNeedle, patientPosition, selected, type Mode, type Model, type State } from "../model";
import { stationAt, vector } from "../path";
import { Handles } from "../scene/handles";
import type { SceneView } from "../scene/scene";

const STEP_MM = 1;

export function edit(model: Model, actions: Actions, scene: SceneView): HTMLElement {
  const buttons: readonly (readonly [Mode, string])[] = [["target", "Move the target"], ["path", "Draw a path"]];
  const tools = h("div", { class: "group", role: "group", "aria-label": "Edit" });
  for (const [mode, text] of buttons) {
    const button = h("button", { type: "button", onclick: () => actions.editing.edit(model.state.mode === mode ? "look" : mode) }, text);
    model.watch((state) => [state.mode], (state) => button.setAttribute("aria-pressed", String(state.mode === mode)));
    tools.append(button);
  }
  const undo = h("button", { type: "button", onclick: () => actions.editing.undo() }, "Undo");
  model.watch((state) => [state.mode, state.past], ({ mode, past }) => {
    undo.hidden = mode === "look";
    undo.disabled = past.length < 2;
  });
  const lock = h("button", { type: "button", class: "lock", title: "nothing can be moved, drawn or planned anew, only looked at",
    onclick: () => actions.editing.lock(!model.state.locked) }, "Lock");
  model.watch((state) => [state.locked], ({ locked }) => {
    lock.setAttribute("aria-pressed", String(locked));
    fill(lock, locked ? "🔒 Locked" : "Lock");
    for (const button of tools.querySelectorAll("button")) if (button !== lock) button.disabled = locked;
  });
  tools.append(undo, lock);
  handles(model, actions, scene);
  return tools;
}

function handles(model: Model, actions: Actions, scene: SceneView): void {
  const held = new Handles(scene, (name, point, done) => {
    const place = point.toArray();
    if (name === "target") actions.editing.dragTarget(place, done);
    else actions.editing.dragPath(name === "entry" ? { entry: place } : { tip: place }, done);
  });
  model.watch(
    (state) => [state.mode, state.aim, state.sketch],
    ({ mode, aim, sketch }) => {
      if (mode === "target" && aim) held.set([{ name: "target", colour: "#ffffff", point: vector(aim) }]);
      else if (mode === "path" && sketch) {
        held.set([
          { name: "entry", colour: "#f2c14e", point: vector(sketch.entry) },
          { name: "tip", colour: "#ffffff", point: vector(sketch.tip) },
        ]);
      } else held.set([]);
    },
  );
  scene.canvas.addEventListener("keydown", (event) => {
    const { mode } = model.state;
    const by = NUDGES[event.key];
    if (mode === "look" || !by || !event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const name = mode === "target" ? "target" : event.altKey ? "entry" : "tip";
    held.nudge(name, by[0] * STEP_MM, by[1] * STEP_MM);
  });
}

const NUDGES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
};

/** What follows the dragged target, over the scene. */
export function following(model: Model, actions: Actions): HTMLElement {
  const root = h("aside", { class: "following", "aria-live": "polite", "aria-label": "Following the target" });
  model.watch(
    (state) => [state.mode, state.live, state.aim, state.drawn, state.measuring],
    (state) => {
      root.hidden = state.mode === "look";
      if (state.mode === "target") fill(root, ...targetCard(state, actions));
      if (state.mode === "path") fill(root, ...pathCard(state));
    },
  );
  return root;
}

function targetCard(state: State, actions: Actions): readonly (HTMLElement | null)[] {
  const { live, aim } = state;
  const best = live && bestFirst(live.classes)[0];
  return [
    h("p", {}, h("strong", {}, "Preview"), ` with ${editingNeedle(state)?.name ?? "no needle"}: drag the white ball, or Shift and arrow keys`),
    best && best.best_margin_mm !== null
      ? h("p", { class: `big ${best.best_margin_mm < 0 ? "broken" : "clear"}` }, best.best_margin_mm < 0 ? "✕ " : "✓ ", mm(best.best_margin_mm), h("small", {}, " margin"))
      : h("p", { class: "broken" }, live ? "✕ no safe path this way" : "waiting for the first answer …"),
    live && h("table", {}, ...bestFirst(live.classes).slice(0, 4).map((one) => liveRow(one, state))),
    aim && h("p", { class: "quiet" }, `target ${aim.map((c) => c.toFixed(1)).join(", ")} mm`, live && (isOf(live, aim) ? ` · answered in ${(live.roundTripMs / 1000).toFixed(2)} s` : " · the path shown is for where it was a moment ago …")),
    selected(state) && h("p", { class: "quiet" }, "Plot, C-arm and table still show what was planned."),
    h("button", { type: "button", class: "primary", disabled: state.link !== "online", onclick: () => void actions.editing.planHere() }, "Plan for this target"),
  ];
}

function isOf({ request: { target } }: LiveAnswer, aim: Vec3): boolean {
  return target.type === "point" && target.position_mm === aim;
}

function liveRow(one: LiveClass, state: State): HTMLElement {
  const margin = one.best_margin_mm;
  const colour = h("span", { class: "swatch" });
  colour.style.background = needleColour(bestFirst(state.live?.classes ?? []).indexOf(one) + 1);
  const angles = one.path && bullsEye(stationAt(one.path, 0).direction);
  const console = angles && otherAngles(angles, patientPosition(state));
  return h("tr", {},
    h("td", {}, colour, `${words(one.approach)} ${one.side} `, h("span", { class: "quiet",
      title: console ? `console ${degrees(console.primary_deg)} / ${degrees(console.secondary_deg)}` : "" }, angles ? viewName(angles) : "")),
    h("td", { class: `margin ${(margin ?? -1) < 0 ? "broken" : "clear"}` }, margin === null ? (one.status === "infeasible" ? "none, proved" : "none found") : mm(margin)),
    h("td", { class: "quiet" }, one.limiting_structures[0] ?? ""));
}

function pathCard(state: State): readonly HTMLElement[] {
  const { measuring, drawn, sketch } = state;
  const angles = sketch && bullsEye(vector(sketch.tip).sub(vector(sketch.entry)).normalize());
  const console = angles && otherAngles(angles, patientPosition(state));
  return [
    h("p", {}, h("strong", {}, "Your own path"), ": drag entry (yellow) and tip (white); it is measured as they move"),
    h("p", { class: "quiet" }, measuring ? "measuring …" : drawn ? `${drawn.approach ? words(drawn.approach) : "no approach"} ${drawn.side ?? ""}, ${drawn.needle}, ${mm(drawn.length_mm, 0)}` : ""),
    h("p", {}, angles ? `down the needle: ${viewName(angles)}` : "", console ? `, console ${degrees(console.primary_deg)} / ${degrees(console.secondary_deg)}` : ""),
  ];
}
