/** What is in the scene: show, hide, fade, and what was found wrong with each mesh. */

import type { Actions } from "../actions";
import type { CaseDescription, Structure } from "../contract";
import { fill, h, words } from "../dom";
import { GROUPS, lookOf } from "../looks";
import { allStructures, isDerived, targetStructure, type Model, type State } from "../model";

export function structures(model: Model, actions: Actions): HTMLElement {
  const root = h("div", { class: "structures" });
  model.watch(
    (state) => [state.opened, state.undrawn],
    (state) => {
      const { opened } = state;
      if (!opened) return fill(root);
      const all = allStructures(opened);
      fill(
        root,
        caseFindings(opened),
        ...GROUPS.map((group) => {
          const members = all.filter(({ kind }) => lookOf(kind).group === group);
          return members.length > 0 && groupOf(group, members, state, actions);
        }),
      );
    },
  );
  model.watch(
    (state) => [state.opened, state.undrawn, targetStructure(state)],
    (state) => {
      const aimed = targetStructure(state);
      for (const mark of root.querySelectorAll<HTMLElement>(".aimed")) mark.hidden = mark.dataset["of"] !== aimed;
    },
  );
  return root;
}

function caseFindings(opened: CaseDescription): HTMLElement | null {
  const said = [
    ...opened.warnings.map(({ message }) => message),
    ...opened.hardware_findings.map(({ structure, message }) => `${structure}: ${message}`),
    ...opened.derived.missing.map(({ kind, reason }) => `no ${words(kind)} in the case, and none could be derived: ${reason}`),
  ];
  if (said.length === 0) return null;
  const once = [...new Set(said)];
  return h(
    "details", { class: "findings", open: true },
    h("summary", {}, `▲ ${once.length} found in the case`),
    h("ul", {}, ...once.map((line) => h("li", {}, line))),
  );
}

function groupOf(
  group: string, members: readonly Structure[], state: State, actions: Actions,
): HTMLElement {
  const rows = members.map((structure) => row(structure, state, actions));
  const all = h("input", {
    type: "checkbox", checked: true, "aria-label": `show ${group}`,
    onchange: () => {
      for (const { name } of members) actions.cases.show(name, { visible: all.checked });
      for (const box of list.querySelectorAll<HTMLInputElement>("input[type=checkbox]")) box.checked = all.checked;
    },
  });
  const list = h("ul", {}, ...rows);
  return h(
    "div", { class: "kind" }, all,
    h("details", { open: members.length <= 8 },
      h("summary", {}, `${group} `, h("span", { class: "quiet" }, String(members.length))), list),
  );
}

function row(structure: Structure, state: State, actions: Actions): HTMLElement {
  const { name, kind } = structure;
  const shown = state.shown.get(name);
  const colour = h("span", { class: "swatch" });
  colour.style.background = lookOf(kind).colour;
  const visible = h("input", {
    type: "checkbox", checked: shown?.visible ?? true, "aria-label": `show ${name}`,
    onchange: () => actions.cases.show(name, { visible: visible.checked }),
  });
  const opacity = h("input", {
    type: "range", min: 0.05, max: 1, step: 0.05, value: shown?.opacity ?? 1,
    "aria-label": `opacity of ${name}`,
    oninput: () => actions.cases.show(name, { opacity: Number(opacity.value) }),
  });
  const said = remarks(structure, state);
  return h(
    "li", {},
    h("div", { class: "row" }, visible, colour,
      h("span", { class: "name", title: `${name}, ${words(kind)}` }, 
        h("span", { class: "aimed", "data-of": name, hidden: true, role: "img", "aria-label": "target", title: "target" }, "◎ "), name), opacity),
    said.length > 0 && h("ul", { class: "remarks" }, ...said.map((line) => h("li", {}, line))),
  );
}

function remarks(structure: Structure, { undrawn, opened }: State): readonly string[] {
  const missing = undrawn.get(structure.name);
  const derived = opened !== null && isDerived(opened, structure.name);
  return [
    ...(derived ? [`derived, confidence ${(structure.confidence ?? 0).toFixed(2)}: ${structure.widened_mm ?? 0} mm more are kept from it`] : []),
    ...(missing ? [`✕ not drawn: ${missing}`] : []),
    ...(structure.problems ?? []).map(({ message }) => `▲ ${message}`),
  ];
}
