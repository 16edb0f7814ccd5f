/** Asking for a plan: where to, by which ways, with which needles. */

import type { Actions } from "../actions";
import type { Side } from "../contract";
import { fill, h } from "../dom";
import {
  APPROACHES, SIDES, targetName, targetsOf, type Model, type State,
} from "../model";

export function request(model: Model, actions: Actions): HTMLElement {
  const target = h("select", { id: "target" });
  model.watch(
    (state) => [state.opened, state.target],
    (state) => targetOptions(target, state),
  );
  target.addEventListener("change", () => {
    const { opened } = model.state;
    const chosen = opened && targetsOf(opened)[Number(target.value)];
    if (chosen) actions.aim(chosen);
  });
  const button = h("button", { type: "submit", class: "primary" }, "Plan");
  const cancel = h("button", { type: "button", onclick: () => void actions.cancel() }, "Cancel");
  const status = h("p", { class: "quiet", role: "status" });
  let clock = 0;
  model.watch(
    (state) => [state.planningSince, state.pending, state.progress, state.target, state.link],
    ({ planningSince, pending, progress, target: aim, link }) => {
      cancel.hidden = pending === null;
      button.disabled = planningSince !== null || aim === null || link !== "online";
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
  return h(
    "form",
    {
      class: "request",
      onsubmit: (event: Event) => {
        event.preventDefault();
        void actions.plan();
      },
    },
    h("label", { for: "target" }, "Target"), target,
    h("p", { class: "quiet" }, "or click a bone, screw or cage in the scene"),
    choices("Approaches", APPROACHES, (s) => s.approaches, (approaches) => model.set({ approaches }), model),
    choices<Side>("Sides", SIDES, (s) => s.sides, (sides) => model.set({ sides }), model),
    needleChoices(model),
    cArmChoice(model),
    button, cancel, status,
  );
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
    return h("label", {}, box, ` ${one}`);
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
