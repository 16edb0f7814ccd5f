/** What can be taken away from a plan. */

import type { Actions } from "../actions";
import { fill, h } from "../dom";
import type { Model } from "../model";
import type { SceneView } from "../scene/scene";
import { ofPlan } from "../service";

const FILES: readonly (readonly [string, string])[] = [
  ["sheet.pdf", "Sheet (PDF)"],
  ["markups.mrk.json", "Slicer markups"],
  ["preview.png", "Preview (PNG)"],
  ["scene.glb", "3D scene (GLB)"],
  ["proof", "Proof (ZIP)"],
];

export function takeaway(model: Model, actions: Actions, scene: SceneView): HTMLElement {
  const root = h("div", { class: "takeaway" });
  model.watch(
    (state) => [state.planId, state.plan, state.opened],
    ({ planId, plan, opened }) => {
      if (!opened) return fill(root);
      fill(
        root,
        h("button", { type: "button", onclick: () => void picture(scene) }, "This view (PNG)"),
        ...(planId && plan
          ? [
              h("button", { type: "button", onclick: () => void actions.save(ofPlan(planId, "").replace(/\/$/, ""), "plan.json") }, "Plan (JSON)"),
              ...FILES.map(([file, text]) =>
                h("button", { type: "button", onclick: () => void actions.save(ofPlan(planId, file), file === "proof" ? "proof.zip" : file) }, text)),
            ]
          : []),
        h("button", { type: "button", class: "danger", onclick: () => confirm("Delete this case and its plans from the service?") && void actions.deleteCase() }, "Delete the case"),
      );
    },
  );
  return root;
}

async function picture(scene: SceneView): Promise<void> {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await scene.picture());
  link.download = "scene.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
