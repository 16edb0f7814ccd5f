/** What is required: how near a needle may come to each kind of structure in the case. */

import type { Actions } from "../actions";
import type { Rule } from "../contract";
import { fill, h, words } from "../dom";
import { lookOf } from "../looks";
import { allStructures, type Model, type State } from "../model";

/** A needle goes through these on purpose. */
const PASSED = new Set(["skin", "halo", "lesion"]);

export function policy(model: Model, actions: Actions): HTMLElement {
  const table = h("table", { class: "policy" });
  const summary = h("summary", {}, "Margins");
  model.watch(
    (state) => [state.opened, state.defaultPolicy, state.policy],
    (state) => {
      const changed = Object.keys(state.policy).length;
      fill(summary, "Margins", changed > 0 && h("span", { class: "near" }, ` ▲ ${changed} changed`));
      const focused = document.activeElement?.id;
      fill(table, head(), h("tbody", {}, ...kindsOf(state).map((kind) => row(kind, state, actions))));
      if (focused) document.getElementById(focused)?.focus();
    },
  );
  return h("details", { class: "more" }, summary, table,
    h("p", { class: "quiet" }, "mm from the needle’s surface. Engineering defaults, no clinical thresholds; an empty limit only warns."));
}

function head(): HTMLElement {
  return h("thead", {}, h("tr", {}, ...["Kind", "limit, mm", "preferred, mm", ""].map((t) => h("th", { scope: "col" }, t))));
}

function kindsOf({ opened, defaultPolicy }: State): readonly string[] {
  const here = new Set(opened ? allStructures(opened).map(({ kind }) => kind) : []);
  return Object.keys(defaultPolicy).filter((kind) => here.has(kind) && !PASSED.has(kind));
}

function row(kind: string, { policy: changed, defaultPolicy, locked }: State, actions: Actions): HTMLElement {
  const rule: Rule = changed[kind] ?? defaultPolicy[kind]!;
  const swatch = h("span", { class: "swatch" });
  swatch.style.background = lookOf(kind).colour;
  const field = (which: keyof Rule, text: string): HTMLElement => {
    const input = h("input", {
      type: "number", min: 0, max: 100, step: 0.1, value: rule[which] ?? "", disabled: locked,
      id: `${which}-${kind}`, "aria-label": `${text} of ${words(kind)}, mm`,
      onchange: () => {
        if (!input.checkValidity()) return input.reportValidity();
        const value = input.value === "" ? null : Number(input.value);
        const change = which === "hard_mm" ? { hard_mm: value } : { preferred_mm: value ?? 0 };
        return actions.planning.require(kind, { hard_mm: rule.hard_mm, preferred_mm: rule.preferred_mm, ...change });
      },
    });
    return input;
  };
  return h("tr", { class: changed[kind] ? "changed" : "" },
    h("th", { scope: "row" }, swatch, words(kind)),
    h("td", {}, field("hard_mm", "limit")), h("td", {}, field("preferred_mm", "preferred distance")),
    h("td", {}, changed[kind] && h("button", {
      type: "button", disabled: locked, title: "as the service has it", "aria-label": `default margins for ${words(kind)}`,
      onclick: () => actions.planning.require(kind, null),
    }, "↺")));
}
