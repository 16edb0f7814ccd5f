/** Puts the viewer together. */

import { Vector3 } from "three";

import { newActions } from "./actions";
import { bullsEye, otherAngles } from "./carm";
import type { Angles, Piece } from "./contract";
import { append, h } from "./dom";
import { keyboard } from "./keyboard";
import { newModel } from "./model";
import { carm } from "./panels/carm";
import { alerts, header } from "./panels/header";
import { help } from "./panels/help";
import { plot } from "./panels/plot";
import { request } from "./panels/request";
import { results } from "./panels/results";
import { sections } from "./panels/sections";
import { stage } from "./panels/stage";
import { start } from "./panels/start";
import { structures } from "./panels/structures";
import { takeaway } from "./panels/takeaway";
import { stationAt } from "./path";
import { outlines, planeAt, type Outline } from "./sections/slice";

const model = newModel();
const actions = newActions(model);
const opening = start(model, actions);
const workplace = h("main", { class: "workplace" });
// Before the panels hear of it, so that the scene has its size when it is first drawn.
model.watch(
  (state) => [state.opened !== null || state.handedIn.size > 0],
  ({ opened, handedIn }) => {
    const seen = opened !== null || handedIn.size > 0;
    opening.hidden = seen;
    workplace.hidden = !seen;
  },
);
model.watch((state) => [state.mode], ({ mode }) => (workplace.dataset["mode"] = mode));
const { root: scenePanel, scene } = stage(model, actions);
const dialog = help();

append(workplace, [
  h("aside", { class: "side", "aria-label": "Case and request" },
    h("h2", {}, "Plan"), request(model, actions),
    h("h2", {}, "Structures"), structures(model, actions),
    h("h2", {}, "Take away"), takeaway(model, actions, scene)),
  h("div", { class: "middle" }, scenePanel, plot(model, actions), results(model, actions)),
  h("aside", { class: "side right", "aria-label": "C-arm and sections" },
    carm(model, actions), sections(model, actions)),
]);

const root = document.getElementById("viewer");
if (!root) throw new Error("the page has no place for the viewer");
append(root, [header(model, actions, () => dialog.showModal()), alerts(model, actions), opening, workplace, dialog]);
keyboard(model, actions, scene);
void actions.connection.start();

/** For tests and measurements: what the viewer knows and can do. */
const inspection = {
  model, actions, scene, otherAngles,
  bullsEyeOf: (path: readonly Piece[]): Angles => bullsEye(stationAt(path, 0).direction),
  /** The axial section of a structure through a height, mm, seen from the feet. */
  outlinesAcross(name: string, height: number): readonly Outline[] {
    const mesh = model.state.meshes.get(name);
    const plane = planeAt(new Vector3(0, 0, height), new Vector3(0, 0, 1), new Vector3(0, -1, 0));
    return mesh ? outlines(mesh, plane) : [];
  },
};

declare global {
  interface Window {
    trocar: typeof inspection;
  }
}
window.trocar = inspection;
