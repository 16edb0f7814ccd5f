/** The skin by the best margin from each place: switch, legend, and what a touched place offers. */

import type { Actions } from "../actions";
import { fill, h, mm, words } from "../dom";
import { MARGIN_CLASSES, marginClass } from "../looks";
import type { Model, State } from "../model";
import type { SceneView } from "../scene/scene";
import { discs, reached, type Reached } from "../scene/skin";

export function skinMap(
  model: Model, actions: Actions, scene: SceneView, menu: HTMLElement,
): { readonly root: HTMLElement; readonly legend: HTMLElement } {
  const button = h("button", { type: "button", onclick: () => void actions.planning.mapSkin(model.state.skin === null && !model.state.mapping) }, "Skin map");
  const legend = h("div", { class: "margins" });
  model.watch(
    (state) => [state.skin, state.mapping, state.target],
    (state) => {
      const { skin, mapping, target } = state;
      button.setAttribute("aria-pressed", String(skin !== null || mapping));
      button.disabled = target === null;
      fill(legend, ...legendOf(state));
    },
  );
  model.watch(
    (state) => [state.skin],
    ({ skin }) => scene.setOverlay(skin && discs(reached(skin.places), skin.step_deg)),
  );
  // What would be planned has changed: the map is of another question.
  model.watch(
    (state) => [state.target, state.approaches, state.sides, state.needlesWanted, state.policy],
    ({ skin, mapping }) => void ((skin || mapping) && actions.planning.mapSkin(false)),
  );
  scene.onOverlay = (index, x, y) => {
    const { skin } = model.state;
    const place = skin && reached(skin.places)[index];
    if (place) offer(menu, place, x, y, model.state, actions);
  };
  return { root: h("aside", { class: "skin-map", "aria-label": "Skin map" }, button, legend), legend };
}

function legendOf({ skin, mapping }: State): readonly (HTMLElement | string)[] {
  if (mapping) return [h("span", { class: "spinner" }), "trying paths from all over the skin …"];
  if (!skin) return [];
  const places = reached(skin.places);
  if (places.length === 0) return [h("p", { class: "broken" }, "✕ no place on the skin leads to this target by the ways that are ticked")];
  const best = places.reduce((a, b) => (b.margin_mm > a.margin_mm ? b : a));
  return [
    h("p", {}, "Best margin found from each place; touch one for its path"),
    h("ul", {}, ...MARGIN_CLASSES.map((one) => {
      const dot = h("span", { class: "dot" });
      dot.style.background = one.colour;
      dot.style.scale = String(one.share);
      const count = places.filter(({ margin_mm: margin }) => marginClass(margin) === one).length;
      return h("li", {}, dot, one.text, h("span", { class: "quiet" }, ` ${count}`));
    })),
    h("p", {}, `Largest: ${mm(best.margin_mm)}, limited by ${best.limiting_structure ?? "nothing"}`),
    h("p", { class: "quiet" }, "Straight needles. No disc: no path from there. Found, not proved: a plan proves."),
  ];
}

function offer(
  menu: HTMLElement, place: Reached, x: number, y: number, { locked }: State, actions: Actions,
): void {
  const draw = (): void => {
    menu.hidden = true;
    void actions.editing.draw({ entry: place.entry_mm, tip: place.tip_mm });
  };
  fill(
    menu,
    h("strong", { class: place.margin_mm < 0 ? "broken" : "" }, `${place.margin_mm < 0 ? "✕ " : ""}${mm(place.margin_mm)} margin from here`),
    h("span", {}, `limited by ${place.limiting_structure ?? "nothing"}; ${words(place.approach ?? "")} ${place.side ?? ""}, ${place.needle ?? ""}`),
    !locked && h("button", { type: "button", class: "primary", onclick: draw }, "Draw this path"),
    h("button", { type: "button", onclick: () => (menu.hidden = true) }, "Close"),
  );
  menu.hidden = false;
  menu.style.left = `${x + 8}px`;
  menu.style.top = `${y + 8}px`;
}
