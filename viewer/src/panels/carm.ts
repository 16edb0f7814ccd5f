/** The C-arm: console angles, the simulated view they give, and where the good views are. */

import type { Actions } from "../actions";
import { LYING, otherAngles, viewName } from "../carm";
import type { Angles, CArm, Trajectory, View } from "../contract";
import { degrees, fill, h, svg } from "../dom";
import { patientPosition, selected, type Model, type State } from "../model";

const PAUSE_MS = 120;

const ROLES: Readonly<Record<string, string>> = {
  bulls_eye: "Bull’s-eye",
  progress: "Progress",
  screw_bulls_eye: "Screw’s eye",
  foramen: "Foramen",
  posterior_wall: "Posterior wall",
  true_ap: "AP",
  true_lateral: "Lateral",
  throw_off_ap: "Throw-off AP",
  throw_off_lateral: "Throw-off lateral",
};

export function carm(model: Model, actions: Actions): HTMLElement {
  const root = h("section", { class: "carm", "aria-label": "C-arm" });
  const views = h("div", { class: "views" });
  const said = h("p", { class: "convention" });
  const body = h("div", { class: "console" },
    slider(model, actions, "primary_deg"), slider(model, actions, "secondary_deg"));
  root.append(picture(model, actions), said, body, map(model, actions), views);
  model.watch(
    (state) => [selected(state), state.angles, state.cArm],
    (state) => {
      const trajectory = selected(state);
      root.classList.toggle("without", trajectory === null);
      fill(views, ...(trajectory?.views ?? []).map((view) => viewButton(view, state.angles, actions)));
      fill(said, ...sayingOf(state, trajectory));
    },
  );
  return root;
}

function sayingOf(state: State, trajectory: Trajectory | null): (HTMLElement | string | undefined)[] {
  const position = patientPosition(state);
  const dicom = otherAngles(state.angles, position);
  const arm = state.cArms.find(({ name }) => name === state.cArm);
  const view = trajectory?.views.find((one) => isAt(one, state.angles));
  const out = arm !== undefined && !reaches(arm, state.angles);
  return [
    h("strong", {}, viewName(dicom)),
    ` · console for a patient lying ${LYING[position] ?? position}, +LAO, +CRA`,
    arm && h("span", { class: out ? "broken" : "" }, ` · ${out ? "✕ out of" : "in"} reach of ${arm.name} (${reachText(arm)})`),
    ...(view ? [h("span", { class: view.tip_hidden ? "near" : "" }, ` · ${hiddenText(view)}`)] : []),
  ];
}

/** What a C-arm reaches, in the console's words. */
function reachText({ primary_deg: [right, left], secondary_deg: [caudal, cranial] }: CArm): string {
  const whole = (angle: number): string => degrees(Math.abs(angle), 0);
  return `RAO ${whole(right)} to LAO ${whole(left)}, CAU ${whole(caudal)} to CRA ${whole(cranial)}`;
}

function hiddenText(view: View): string {
  if (view.hardware_overlap === null) return "hidden share not known";
  const share = `metal hides ${Math.round(view.hardware_overlap * 100)} % of the needle’s way`;
  return view.tip_hidden ? `▲ ${share}, and the tip` : share;
}

function isAt({ console: at }: View, angles: Angles): boolean {
  return Math.abs(at.primary_deg - angles.primary_deg) < 0.06 && Math.abs(at.secondary_deg - angles.secondary_deg) < 0.06;
}

function reaches({ primary_deg: p, secondary_deg: s }: CArm, angles: Angles): boolean {
  return angles.primary_deg >= p[0] && angles.primary_deg <= p[1] && angles.secondary_deg >= s[0] && angles.secondary_deg <= s[1];
}

function viewButton(view: View, angles: Angles, actions: Actions): HTMLElement {
  return h(
    "button",
    { type: "button", "aria-pressed": String(isAt(view, angles)), title: `${view.label}: ${hiddenText(view)}`,
      "data-role": view.role, onclick: () => actions.looking.turnTo(view.role) },
    ROLES[view.role] ?? view.role, h("small", {}, view.reachable ? view.label : `${view.label} ✕ out of reach`),
  );
}

function slider(model: Model, actions: Actions, which: keyof Angles): HTMLElement {
  const most = which === "primary_deg" ? 180 : 90;
  const [minus, plus] = which === "primary_deg" ? ["RAO", "LAO"] : ["CAU", "CRA"];
  const output = h("output", {});
  const input = h("input", {
    type: "range", min: -most, max: most, step: 0.5, "aria-label": `${minus} ${plus} angle, degrees`,
    oninput: () => actions.looking.turn({ ...model.state.angles, [which]: Number(input.value) }),
  });
  model.watch(
    (state) => [state.angles],
    ({ angles }) => {
      const value = angles[which];
      input.value = String(value);
      fill(output, `${value < 0 ? minus : plus} ${degrees(Math.abs(value))}`);
    },
  );
  return h("label", {}, h("span", {}, `${minus} / ${plus}`), input, output);
}

/** The simulated view; the newest angles win, and an old picture is marked as such. */
function picture(model: Model, actions: Actions): HTMLElement {
  const image = h("img", { alt: "Simulated fluoroscopic view" });
  const state = h("figcaption", { role: "status" });
  const root = h("figure", { class: "fluoro" }, image, state);
  let abort = new AbortController();
  let timer = 0;
  const fetchNow = async (signal: AbortSignal): Promise<void> => {
    try {
      const blob = await actions.looking.fluoro(signal);
      if (signal.aborted || !blob) return;
      URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(blob);
      fill(state);
      root.dataset["state"] = "shown";
    } catch (error) {
      if (signal.aborted) return;
      root.dataset["state"] = "failed";
      fill(state, `✕ no simulated view: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  model.watch(
    (now) => [now.planId, now.rank, now.angles, now.drawn],
    ({ planId, rank, plan }) => {
      abort.abort();
      clearTimeout(timer);
      if (rank === null || (rank > 0 && !planId)) {
        image.removeAttribute("src");
        root.dataset["state"] = "none";
        fill(state, plan && rank ? "the simulated view comes with this target’s own plan …" : "the simulated view appears with a plan");
        return;
      }
      abort = new AbortController();
      const { signal } = abort;
      root.dataset["state"] = "waiting";
      fill(state, h("span", { class: "spinner" }), "taking the view …");
      timer = window.setTimeout(() => void fetchNow(signal), PAUSE_MS);
    },
  );
  return root;
}

const MAP = { width: 320, height: 120, left: 30, bottom: 16, primary: 180, secondary: 60 };

/** Every console angle at a glance: what the C-arm reaches, the views, and the curve of progress views. */
function map(model: Model, actions: Actions): HTMLElement {
  const x = (primary: number): number =>
    MAP.left + ((primary + MAP.primary) / (2 * MAP.primary)) * (MAP.width - MAP.left - 4);
  const y = (secondary: number): number =>
    2 + ((MAP.secondary - secondary) / (2 * MAP.secondary)) * (MAP.height - MAP.bottom - 4);
  const root = h("details", { class: "map", open: innerHeight > 1000 }, h("summary", {}, "Map of angles"));
  const drawing = svg("svg", { viewBox: `0 0 ${MAP.width} ${MAP.height}`, role: "img",
    "aria-label": "Map of console angles: reach, views and the curve on which the needle is seen from the side" });
  drawing.addEventListener("click", (event) => {
    const box = drawing.getBoundingClientRect();
    const u = ((event.clientX - box.left) / box.width) * MAP.width;
    const v = ((event.clientY - box.top) / box.height) * MAP.height;
    actions.looking.turn({
      primary_deg: Math.round(((u - MAP.left) / (MAP.width - MAP.left - 4)) * 2 * MAP.primary - MAP.primary),
      secondary_deg: Math.round(MAP.secondary - ((v - 2) / (MAP.height - MAP.bottom - 4)) * 2 * MAP.secondary),
    });
  });
  root.append(drawing);
  model.watch(
    (state) => [selected(state), state.angles, state.cArm],
    (state) => {
      const arm = state.cArms.find(({ name }) => name === state.cArm);
      const trajectory = selected(state);
      fill(
        drawing,
        arm && svg("rect", { class: "reach", x: x(arm.primary_deg[0]), y: y(Math.min(arm.secondary_deg[1], MAP.secondary)),
          width: x(arm.primary_deg[1]) - x(arm.primary_deg[0]),
          height: y(Math.max(arm.secondary_deg[0], -MAP.secondary)) - y(Math.min(arm.secondary_deg[1], MAP.secondary)) }),
        ...[-90, 0, 90].map((angle) => svg("text", { class: "tick", x: x(angle), y: MAP.height - 4, "text-anchor": "middle" }, angle === 0 ? "0°" : angle < 0 ? "RAO 90" : "LAO 90")),
        ...[-45, 0, 45].map((angle) => svg("text", { class: "tick", x: MAP.left - 3, y: y(angle) + 3, "text-anchor": "end" }, angle === 0 ? "0°" : angle < 0 ? "CAU" : "CRA")),
        ...(trajectory ? curve(trajectory, patientPosition(state), x, y) : []),
        ...(trajectory?.views ?? []).map((view) => svg("circle", {
          class: view.reachable ? "view" : "view out", cx: x(view.console.primary_deg), cy: y(view.console.secondary_deg), r: 3 },
          svg("title", {}, `${ROLES[view.role] ?? view.role}: ${view.label}`))),
        svg("circle", { class: "now", cx: x(state.angles.primary_deg), cy: y(state.angles.secondary_deg), r: 5 }),
      );
    },
  );
  return root;
}

function curve(
  trajectory: Trajectory, position: string, x: (a: number) => number, y: (a: number) => number,
): readonly SVGElement[] {
  const points = trajectory.views.flatMap((view) => view.curve ?? []);
  return points.map(([primary, secondary, reachable]) => {
    const at = otherAngles({ primary_deg: primary, secondary_deg: secondary }, position);
    return svg("circle", { class: reachable ? "progress" : "progress out", cx: x(at.primary_deg), cy: y(at.secondary_deg), r: 1.5 });
  });
}
