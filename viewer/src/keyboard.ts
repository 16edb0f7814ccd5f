/** Keys that work anywhere but in fields. */

import type { Actions } from "./actions";
import { selected, type Model } from "./model";
import type { SceneView } from "./scene/scene";

const VIEWS: Readonly<Record<string, string>> = {
  b: "bulls_eye", p: "progress", a: "true_ap", l: "true_lateral", t: "throw_off_lateral",
  u: "throw_off_ap", w: "posterior_wall", f: "foramen",
};
const TURN_DEG = 6;

export function keyboard(model: Model, actions: Actions, scene: SceneView): void {
  const sceneKeys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => scene.orbit(-TURN_DEG, 0),
    ArrowRight: () => scene.orbit(TURN_DEG, 0),
    ArrowUp: () => scene.orbit(0, -TURN_DEG),
    ArrowDown: () => scene.orbit(0, TURN_DEG),
    "+": () => scene.zoom(0.9),
    "-": () => scene.zoom(1.1),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typedInto(event.target)) return;
    const inScene = event.target === scene.canvas ? sceneKeys[event.key] : undefined;
    const does = inScene ?? anywhere(event.key.toLowerCase(), model, actions, scene);
    if (!does) return;
    event.preventDefault();
    does();
  });
}

function typedInto(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !["checkbox", "range"].includes(target.type);
  return target instanceof HTMLSelectElement;
}

function anywhere(
  key: string, model: Model, actions: Actions, scene: SceneView,
): (() => void) | undefined {
  const role = VIEWS[key];
  if (role) return () => actions.looking.turnTo(role);
  if (key === "[" || key === "]") {
    return () => actions.looking.scroll(model.state.depthMm + (key === "]" ? 1 : -1));
  }
  const state = model.state;
  const does: Readonly<Record<string, () => void>> = {
    c: () => actions.looking.compareNext(),
    m: () => void actions.planning.mapSkin(state.skin === null && !state.mapping),
    k: () => actions.editing.lock(!state.locked),
    z: () => actions.editing.undo(),
  };
  if (state.opened && does[key]) return does[key];
  if (key === "n") return () => scene.lookFrom("needle", selected(model.state));
  const rank = Number(key);
  return model.state.plan?.trajectories.some((t) => t.rank === rank)
    ? () => actions.looking.select(rank)
    : undefined;
}
