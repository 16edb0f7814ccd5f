/** What can be taken away: of the plan, of a path that was drawn, and of the scene. */

import type { Actions } from "../actions";
import { fill, h, saveAs } from "../dom";
import { selected, type Model, type State } from "../model";
import type { SceneView } from "../scene/scene";
import { download, ofPlan } from "../service";

/** A file of a plan: what the service calls it, the reader, and the disk. */
const FILES: readonly (readonly [string, string, string])[] = [
  ["", "Plan (JSON)", "plan.json"],
  ["markups.mrk.json", "Slicer markups", "markups.mrk.json"],
  ["preview.png", "Preview (PNG)", "preview.png"],
  ["scene.glb", "3D scene (GLB)", "scene.glb"],
  ["proof", "Proof (ZIP)", "proof.zip"],
];

export function takeaway(model: Model, actions: Actions, scene: SceneView): HTMLElement {
  const root = h("div", { class: "takeaway" });
  model.watch(
    (state) => [state.planId, state.plan, state.session, state.opened, state.rank, state.drawn],
    (state) => {
      if (!state.opened) return fill(root);
      fill(
        root,
        saving("This view (PNG)", async () => saveAs(await scene.picture(), "scene.png"), actions),
        ...ofThePlan(state, actions),
        h("button", { type: "button", class: "danger", onclick: () => confirm("Delete this case and its plans from the service?") && void actions.cases.delete() }, "Delete the case"),
      );
    },
  );
  return root;
}

function ofThePlan(state: State, actions: Actions): readonly HTMLElement[] {
  const { planId, plan, session, sessionId, rank } = state;
  const drawn = rank === 0 ? selected(state) : null;
  const given = (value: unknown, name: string): (() => Promise<void>) => async () =>
    saveAs(new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }), name);
  const fetched = (path: string, name: string): (() => Promise<void>) => async () =>
    saveAs(await download(path), name);
  return [
    ...(planId && plan ? [
      saving(rank ? `Sheet of no. ${rank} (PDF)` : "Sheet (PDF)",
        fetched(`${ofPlan(planId, "sheet.pdf")}${rank ? `?rank=${rank}` : ""}`, "sheet.pdf"), actions),
      ...FILES.map(([file, text, name]) =>
        saving(text, fetched(ofPlan(planId, file).replace(/\/$/, ""), name), actions)),
    ] : []),
    ...(session && sessionId ? [
      saving("Sheets of the session (PDF)", fetched(ofPlan(sessionId, "sheet.pdf"), "session.pdf"), actions),
      saving("Session (JSON)", given(session, "session.json"), actions),
    ] : []),
    ...(drawn ? [saving("Drawn path (JSON)", given(drawn, "path.json"), actions)] : []),
  ];
}

function saving(text: string, work: () => Promise<void>, { desk }: Actions): HTMLElement {
  const button = h("button", { type: "button" }, text);
  button.addEventListener("click", () => {
    button.disabled = true; // some files take a while, and are not to be asked for twice
    void desk.attempt(work).finally(() => (button.disabled = false));
  });
  return button;
}
