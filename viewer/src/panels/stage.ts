/** The scene with what lies over it: orientation, views, the cutting plane, and what a click offers. */

import type { Actions } from "../actions";
import type { Trajectory } from "../contract";
import { fill, h, mm, words } from "../dom";
import {
  allStructures, bestFirst, editingNeedle, limiting, ranked, selected, structureNamed, targetName, targetsFor, targetStructure, type Model, type State,
} from "../model";
import { straight, vector } from "../path";
import { letters, standpoint } from "../scene/orientation";
import type { Drawable, NeedleLook } from "../scene/needles";
import { SceneView, type ClipAxis, type Standpoint, type Touched } from "../scene/scene";
import { edit, following } from "./edit";
import { skinMap } from "./skin";
import { verdict } from "./verdict";

const VIEWS: readonly (readonly [Standpoint, string])[] = [
  ["back", "Back"], ["left", "Left"], ["right", "Right"], ["front", "Front"], ["head", "Head"], ["needle", "Down the needle"],
];

export interface Stage {
  readonly root: HTMLElement;
  readonly scene: SceneView;
}

export function stage(model: Model, actions: Actions): Stage {
  const canvas = h("canvas", {
    class: "scene", tabindex: 0, role: "img",
    "aria-label": "Three-dimensional view. Arrow keys turn it, plus and minus zoom.",
  });
  const menu = h("div", { class: "touched", hidden: true });
  const scene = new SceneView(canvas);
  const skin = skinMap(model, actions, scene, menu);
  const follows = following(model, actions);
  const over = { letters: orientation(scene), left: verdict(model), right: [follows, skin.legend] };
  const root = h("section", { class: "stage", "aria-label": "Scene" },
    canvas, over.letters, limitLabel(model, scene), over.left, follows, skin.root, menu,
    h("div", { class: "tools" }, views(model, scene), clipping(model, scene)),
    h("div", { class: "editing" }, edit(model, actions, scene)), legend(model));
  scene.onTouch = (touched) => offer(menu, touched, model, actions);
  keepInStep(model, scene, keepUncovered(scene, over));
  return { root, scene };
}

interface Over {
  readonly letters: HTMLElement;
  readonly left: HTMLElement;
  readonly right: readonly HTMLElement[];
}

/** Keep the middle of the scene, and the letters at its edges, in what no card lies over. */
function keepUncovered(scene: SceneView, { letters, left, right }: Over): () => void {
  const cover = (): void => {
    const [onLeft, onRight] = [left.offsetWidth, Math.max(...right.map(({ offsetWidth }) => offsetWidth))];
    scene.setCovered(onLeft, onRight);
    letters.style.left = `${onLeft}px`;
    letters.style.right = `${onRight}px`;
  };
  const observer = new ResizeObserver(cover);
  for (const card of [left, ...right]) observer.observe(card);
  return cover;
}

function keepInStep(model: Model, scene: SceneView, cover: () => void): void {
  let framed = false;
  model.watch(
    (state) => [state.meshes, state.handedIn, state.opened],
    ({ meshes, handedIn, opened, shown }) => {
      const drawn = new Map([...[...handedIn].map(([name, { mesh }]) => [name, mesh] as const), ...meshes]);
      scene.setMeshes(drawn, (name) => (opened && structureNamed(opened, name)?.kind) ?? handedIn.get(name)?.kind ?? "");
      scene.setShown(shown);
      if (drawn.size > 0 && !framed) scene.frameAll();
      framed = drawn.size > 0 && (framed || handedIn.size > 0 || drawn.size === (opened ? allStructures(opened).length : 0));
    },
  );
  model.watch((state) => [state.shown], ({ shown }) => scene.setShown(shown));
  model.watch(
    (state) => [state.opened, state.meshes, targetStructure(state)],
    (state) => scene.setTarget(targetStructure(state)),
  );
  model.watch(
    (state) => [state.plan, state.session, state.drawn, state.rank, state.compared, state.needles, state.live, state.sketch, state.mode],
    (state) => showNeedles(scene, state),
  );
  model.watch(
    (state) => [selected(state), ranked(state, state.compared), state.skin],
    (state) => {
      cover();
      const shown = [selected(state), ranked(state, state.compared)].filter((one) => one !== null);
      if (shown.length > 0 && state.mode === "look" && !state.skin) scene.centreOn(shown);
    },
  );
}

type Drawn = readonly (readonly [Drawable, NeedleLook])[];

function showNeedles(scene: SceneView, state: State): void {
  const drawn = { look: planned, target: previewed, path: sketched }[state.mode](state);
  const shown = state.mode === "target" ? [] : [selected(state), ranked(state, state.compared)];
  const limits = shown.flatMap((trajectory) => {
    const first = trajectory && limiting(trajectory)[0];
    return first ? [first] : [];
  });
  scene.setNeedles(drawn, limits);
}

function planned(state: State): Drawn {
  const all = [...(state.plan?.trajectories ?? []), ...(state.drawn ? [state.drawn] : [])];
  const inner = (one: Trajectory): number | null =>
    state.needles.find(({ name }) => name === one.needle)?.curved?.outer_diameter_mm ?? null;
  return [
    ...all.flatMap((one): Drawn => {
      const look = { selected: one.rank === state.rank || one.rank === state.compared, innerDiameterMm: inner(one) };
      const turned = one.second_arc && { ...one, path: one.second_arc.path };
      return [[one, look], ...(turned ? [[turned, { ...look, selected: false }] as const] : [])];
    }),
    ...elsewhere(state).map((one) => [one, { selected: false, innerDiameterMm: inner(one) }] as const),
  ];
}

/** The needles that were chosen for the other targets of a session. */
function elsewhere({ session, sessionAt }: State): readonly Trajectory[] {
  return (session?.targets ?? []).flatMap(({ plan, chosen_ranks: ranks }, i) =>
    i === sessionAt ? [] : plan.trajectories.filter(({ rank }) => ranks.includes(rank)));
}

/** The best path of every class for where the target is being dragged. */
function previewed({ live }: State): Drawn {
  return bestFirst(live?.classes ?? []).flatMap(({ path, outer_diameter_mm }, i) =>
    path ? [[{ rank: i + 1, path, outer_diameter_mm }, { selected: i === 0, innerDiameterMm: null }] as const] : [],
  );
}

function sketched(state: State): Drawn {
  const { sketch, drawn } = state;
  if (!sketch) return [];
  const diameter = drawn?.outer_diameter_mm ?? editingNeedle(state)?.outer_diameter_mm ?? 2;
  const path = straight(vector(sketch.entry), vector(sketch.tip));
  return [[{ rank: 0, path, outer_diameter_mm: diameter }, { selected: true, innerDiameterMm: null }]];
}

function orientation(scene: SceneView): HTMLElement {
  const edges = ["right", "left", "top", "bottom"].map((edge) => h("span", { class: `edge ${edge}` }));
  const from = h("span", { class: "standpoint" });
  const before = scene.onFrame;
  scene.onFrame = () => {
    before();
    const { right, up, into } = scene;
    const directions = [right, right.clone().negate(), up, up.clone().negate()];
    edges.forEach((edge, i) => {
      const said = letters(directions[i]!);
      if (edge.textContent !== said) edge.textContent = said;
    });
    const seen = `seen ${standpoint(into)}`;
    if (from.textContent !== seen) from.textContent = seen;
  };
  return h("div", { class: "orientation", "aria-hidden": "true" }, ...edges, from);
}

/** What limits the needle, named where it is. */
function limitLabel(model: Model, scene: SceneView): HTMLElement {
  const label = h("span", { class: "limit-label", "aria-hidden": "true" });
  const place = (): void => {
    const trajectory = selected(model.state);
    const first = trajectory && model.state.mode !== "target" && !model.state.skin ? limiting(trajectory)[0] : undefined;
    label.hidden = !first;
    if (!first) return;
    const said = `${first.structure} ${mm(first.distance_mm)}`;
    if (label.textContent !== said) label.textContent = said;
    const at = scene.onScreen(vector(first.nearest_point_mm));
    label.style.transform = `translate(${at.x + 10}px, ${at.y - 26}px)`;
  };
  const before = scene.onFrame;
  scene.onFrame = () => {
    before();
    place();
  };
  return label;
}

function views(model: Model, scene: SceneView): HTMLElement {
  return h(
    "div", { class: "group", role: "group", "aria-label": "Look from" },
    ...VIEWS.map(([from, text]) =>
      h("button", { type: "button", "data-view": from, onclick: () => scene.lookFrom(from, selected(model.state)) }, text)),
  );
}

function clipping(model: Model, scene: SceneView): HTMLElement {
  const share = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0.5, disabled: true, "aria-label": "position of the cut" });
  const axis = h(
    "select", { "aria-label": "cutting plane" },
    ...["off", "sagittal", "coronal", "axial"].map((one) => h("option", { value: one }, one === "off" ? "no cut" : `cut ${one}`)),
  );
  const cut = (): void => {
    share.disabled = axis.value === "off";
    scene.setClip(axis.value as ClipAxis, Number(share.value));
  };
  axis.addEventListener("change", cut);
  share.addEventListener("input", cut);
  model.watch((state) => [state.opened], () => {
    axis.value = "off";
    cut();
  });
  return h("div", { class: "group" }, axis, share);
}

function legend(model: Model): HTMLElement {
  const root = h("p", { class: "legend" });
  model.watch(
    (state) => [state.opened, state.meshes.size, state.handedIn.size, state.undrawn.size],
    ({ opened, meshes, handedIn, undrawn }) => {
      const all = opened ? allStructures(opened).length : 0;
      fill(root, undrawn.size > 0
        ? h("span", { class: "broken" }, `✕ ${undrawn.size} of ${all} structures are NOT drawn: ${[...undrawn.keys()].join(", ")}`)
        : handedIn.size > 0
          ? `${handedIn.size} structures as handed in, not yet checked`
          : meshes.size < all && `${meshes.size} of ${all} structures drawn so far`);
    },
  );
  return root;
}

/** Offer what a touched structure can be: a target, or out of the way. */
function offer(menu: HTMLElement, touched: Touched | null, { state }: Model, actions: Actions): void {
  const { opened } = state;
  menu.hidden = touched === null || opened === null;
  if (!touched || !opened) return;
  const act = (work: () => void): void => {
    menu.hidden = true;
    work();
  };
  const entries = touched.names.slice(0, 4).map((name) => {
    const structure = structureNamed(opened, name);
    return h("div", {},
      h("strong", {}, name), h("span", { class: "quiet" }, ` ${words(structure?.kind ?? "")}`),
      ...(state.locked ? [] : targetsFor(opened, name)).map((target) =>
        h("button", { type: "button", onclick: () => act(() => actions.planning.aim(target)) }, `Aim at the ${targetName(target)}`)),
      h("button", { type: "button", onclick: () => act(() => actions.cases.show(name, { visible: false })) }, "Hide"));
  });
  fill(menu, ...entries, h("button", { type: "button", onclick: () => act(() => undefined) }, "Close"));
  menu.style.left = `${touched.x + 8}px`;
  menu.style.top = `${touched.y + 8}px`;
}
