/** Asking for a plan: where to, by which ways, with which needles. */

import type { Actions } from "../actions";
import type { Side } from "../contract";
import { fill, h, words } from "../dom";
import {
  APPROACHES, sameTarget, SIDES, targetName, targetsOf, type Model, type State,
} from "../model";
import { policy } from "./policy";

export function request(model: Model, actions: Actions): HTMLElement {
  const target = h("select", { id: "target" });
  model.watch(
    (state) => [state.opened, state.target],
    (state) => targetOptions(target, state),
  );
  target.addEventListener("change", () => {
    const { opened } = model.state;
    const chosen = opened && targetsOf(opened)[Number(target.value)];
    if (chosen) actions.planning.aim(chosen);
  });
  const button = h("button", { type: "submit", class: "primary" }, "Plan");
  const cancel = h("button", { type: "button", onclick: () => void actions.planning.cancel() }, "Cancel");
  const status = h("p", { class: "quiet", role: "status" });
  let clock = 0;
  model.watch(
    (state) => [state.planningSince, state.pending, state.progress, state.target, state.link, state.alsoTargets, state.locked],
    ({ planningSince, pending, progress, target: aim, link, alsoTargets, locked }) => {
      cancel.hidden = pending === null;
      button.disabled = planningSince !== null || aim === null || link !== "online" || locked;
      const others = alsoTargets.filter((one) => aim && !sameTarget(one, aim)).length;
      fill(button, others > 0 ? `Plan ${others + 1} targets` : "Plan");
      clearInterval(clock);
      const tell = (): void => {
        const seconds = planningSince === null ? 0 : Math.floor((Date.now() - planningSince) / 1000);
        fill(status, planningSince !== null && h("span", { class: "spinner" }),
          planningSince !== null && `${progress ? `${progress.stage}, ${Math.round(progress.share * 100)} %` : "planning"}, ${seconds} s`);
      };
      tell();
      if (planningSince !== null) clock = window.setInterval(tell, 1000);
    },
  );
  const choosing = h("fieldset", { class: "choosing" },
    h("label", { for: "target" }, "Target"), target,
    h("p", { class: "quiet" }, "or click a bone, screw or cage in the scene"),
    alsoTargets(model, actions),
    choices("Approaches", APPROACHES, (s) => s.approaches, (approaches) => model.set({ approaches }), model),
    choices<Side>("Sides", SIDES, (s) => s.sides, (sides) => model.set({ sides }), model),
    needleChoices(model), policy(model, actions), cArmChoice(model));
  model.watch((state) => [state.locked], ({ locked }) => (choosing.disabled = locked));
  return h(
    "form",
    {
      class: "request",
      onsubmit: (event: Event) => {
        event.preventDefault();
        void actions.planning.plan();
      },
    },
    choosing, button, cancel, status,
  );
}

/** Targets of one session: planned together, so that their needles leave room for one another. */
function alsoTargets(model: Model, actions: Actions): HTMLElement {
  const list = h("ul", { class: "also" });
  const add = h("button", {
    type: "button",
    onclick: () => model.state.target && actions.planning.also(model.state.target),
  }, "Add to the session");
  model.watch(
    (state) => [state.alsoTargets, state.target],
    ({ alsoTargets: others, target }) => {
      add.hidden = target === null || others.some((one) => sameTarget(one, target));
      fill(list, ...others.map((one) => h("li", {}, targetName(one), " ", h("button", {
        type: "button", "aria-label": `leave out ${targetName(one)}`, onclick: () => actions.planning.also(one),
      }, "✕"))));
    },
  );
  return h("div", {}, add, list);
}

function targetOptions(select: HTMLSelectElement, { opened, target }: State): void {
  const offered = opened ? targetsOf(opened) : [];
  const at = offered.findIndex((one) => target && targetName(one) === targetName(target));
  const stray = target !== null && at < 0;
  fill(
    select,
    ...offered.map((one, i) => h("option", { value: i }, targetName(one))),
    stray && h("option", { value: "stray" }, targetName(target)),
    offered.length === 0 && !stray && h("option", { value: "" }, "nothing to aim at could be read"),
  );
  select.value = stray ? "stray" : String(Math.max(at, 0));
}

function choices<T extends string>(
  legend: string, all: readonly T[], chosen: (state: State) => ReadonlySet<T>,
  choose: (set: ReadonlySet<T>) => void, model: Model,
): HTMLElement {
  const boxes = all.map((one) => {
    const box = h("input", { type: "checkbox" });
    model.watch((state) => [chosen(state)], (state) => (box.checked = chosen(state).has(one)));
    box.addEventListener("change", () => choose(toggled(chosen(model.state), one, box)));
    return h("label", {}, box, ` ${words(one)}`);
  });
  return h("fieldset", {}, h("legend", {}, legend), ...boxes);
}

/** The set with `one` in or out as the box says; the last one cannot be taken out. */
function toggled<T>(before: ReadonlySet<T>, one: T, box: HTMLInputElement): ReadonlySet<T> {
  const after = new Set(before);
  if (box.checked) after.add(one);
  else after.delete(one);
  if (after.size > 0) return after;
  box.checked = true;
  return before;
}

function needleChoices(model: Model): HTMLElement {
  const root = h("div", {});
  model.watch(
    (state) => [state.needles],
    ({ needles }) => fill(
      root,
      choices("Needles", needles.map(({ name }) => name), (s) => s.needlesWanted,
        (needlesWanted) => model.set({ needlesWanted }), model),
    ),
  );
  return h("details", { class: "more" }, h("summary", {}, "Needles"), root);
}

function cArmChoice(model: Model): HTMLElement {
  const select = h("select", { id: "c-arm", onchange: () => model.set({ cArm: select.value }) });
  model.watch(
    (state) => [state.cArms, state.cArm],
    ({ cArms, cArm }) => {
      fill(select, ...cArms.map(({ name, description }) => h("option", { value: name, title: description }, name)));
      select.value = cArm;
    },
  );
  return h("div", {}, h("label", { for: "c-arm" }, "C-arm"), select);
}
