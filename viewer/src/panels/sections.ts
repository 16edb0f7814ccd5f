/** Two sections that go with the needle: across it at a depth that is scrolled, and along it. */

import { Vector3 } from "three";

import type { Actions } from "../actions";
import type { Profile } from "../contract";
import { fill, h, mm } from "../dom";
import { needleColour } from "../looks";
import { cuttable, selected, structureNamed, type Cuttable, type Model, type State } from "../model";
import { corners, stationAt } from "../path";
import {
  drawCorridors, drawCuts, drawGap, drawLetters, drawLevel, drawNames, drawPierced, drawRings, drawShaft,
  ringFigures, sheetOf, type Cut,
} from "../sections/draw";
import { gateOf } from "../sections/gate";
import { outlines, planeAt, type Plane } from "../sections/slice";

const ACROSS_MM = 20;
const ALONG_MM = 30;
const GATE_MM = 16;
const UP = new Vector3(0, 0, 1);

/** What the second picture shows: a section along the needle, seen from two sides, or the gate. */
const SECOND = ["along, from the feet", "along, from the side", "gate of the pedicle"] as const;
type Second = (typeof SECOND)[number];

export function sections(model: Model, actions: Actions): HTMLElement {
  const across = h("canvas", { role: "img", "aria-label": "Section across the needle, seen from the hub", tabindex: 0 });
  const along = h("canvas", { role: "img", "aria-label": "Section along the needle", tabindex: 0 });
  const reading = h("p", { class: "reading" });
  const slider = h("input", {
    type: "range", min: 0, step: 0.5, "aria-label": "depth along the needle, mm",
    oninput: () => actions.looking.scroll(Number(slider.value)),
  });
  const second = h("select", { "aria-label": "second section" }, ...SECOND.map((one) => h("option", { value: one }, one)));
  const note = h("p", { class: "gate-note" });
  const keptAlong = new Kept();
  const drawAll = (): void => {
    const state = model.state;
    const trajectory = cuttable(state);
    if (!trajectory || !state.opened) return;
    drawAcross(across, state, trajectory);
    const chosen = second.value as Second;
    if (chosen === "gate of the pedicle") fill(note, drawGate(along, state, trajectory));
    else drawAlong(along, state, trajectory, chosen, keptAlong);
    note.hidden = chosen !== "gate of the pedicle";
  };
  second.addEventListener("change", drawAll);
  for (const canvas of [across, along]) {
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      actions.looking.scroll(model.state.depthMm + Math.sign(event.deltaY) * 0.5);
    }, { passive: false });
    new ResizeObserver(drawAll).observe(canvas);
  }
  const body = h("div", { class: "pair" },
    h("figure", {}, h("figcaption", {}, "Probe’s eye, across"), h("div", { class: "picture" }, across)),
    h("figure", {}, h("figcaption", {}, second), h("div", { class: "picture" }, along, note)));
  const empty = h("p", { class: "empty" }, "Sections along a needle appear with a plan.");
  const root = h("section", { class: "sections", "aria-label": "Sections along the needle" },
    empty, body, h("div", { class: "depth" }, slider, reading));
  model.watch(
    (state) => [selected(state), state.mode, state.live, state.depthMm, state.meshes, state.shown, state.profile],
    (state) => {
      const trajectory = cuttable(state);
      root.classList.toggle("without", trajectory === null);
      if (!trajectory) return;
      slider.max = String(trajectory.length_mm);
      slider.value = String(state.depthMm);
      fill(reading, ...readingAt(trajectory, state));
      drawAll();
    },
  );
  return root;
}

/** What is nearest where we are, as the service measured it. */
function readingAt(trajectory: Cuttable, { depthMm, profile }: State): (string | HTMLElement)[] {
  const said = `${mm(depthMm)} deep, ${mm(trajectory.length_mm - depthMm)} to the tip. `;
  const nearest = profile && nearestAt(profile, trajectory, depthMm);
  return nearest ? [said, "Nearest here: ", h("strong", {}, `${nearest.name} ${mm(nearest.distance)}`)] : [said];
}

function nearestAt(
  profile: Profile, trajectory: Cuttable, depthMm: number,
): { name: string; distance: number } | null {
  const limits = new Set(trajectory.clearances.filter((c) => c.margin_mm !== null).map((c) => c.structure));
  const stretch = profile.depths_mm.findLastIndex((depth, i) => depth <= depthMm && i < profile.depths_mm.length - 1);
  const here = profile.structures
    .filter(({ structure }) => limits.has(structure))
    .map(({ structure, distance_mm: distances }) => ({ name: structure, distance: distances[stretch] ?? Infinity }))
    .sort((a, b) => a.distance - b.distance);
  return here[0] ?? null;
}

function cutsAt({ meshes, opened }: State, plane: Plane): readonly Cut[] {
  return [...meshes].flatMap(([name, mesh]) => {
    const found = outlines(mesh, plane);
    const structure = opened && structureNamed(opened, name);
    return found.length > 0 && structure ? [{ name, kind: structure.kind, outlines: found }] : [];
  });
}

function drawAcross(canvas: HTMLCanvasElement, state: State, trajectory: Cuttable): void {
  const sheet = sheetOf(canvas, ACROSS_MM);
  if (!sheet) return;
  const { point, direction } = stationAt(trajectory.path, state.depthMm);
  const plane = planeAt(point, direction, UP);
  const cuts = cutsAt(state, plane);
  const radius = trajectory.outer_diameter_mm / 2;
  drawCuts(sheet, cuts, state.shown, [0, 0], trajectory.limiting_structure);
  drawRings(sheet, radius, needleColour(trajectory.rank));
  drawGap(sheet, cuts, trajectory.limiting_structure, radius);
  drawNames(sheet, cuts, state.shown, trajectory.limiting_structure, ringFigures(sheet, radius));
  drawLetters(sheet, plane);
}

/** The cuts of the plane along a needle: they stay as long as needle and meshes do. */
class Kept {
  private key: readonly unknown[] = [];
  private cuts: readonly Cut[] = [];

  of(key: readonly unknown[], make: () => readonly Cut[]): readonly Cut[] {
    if (key.length !== this.key.length || key.some((part, i) => part !== this.key[i])) {
      this.key = key;
      this.cuts = make();
    }
    return this.cuts;
  }
}

function drawAlong(
  canvas: HTMLCanvasElement, state: State, trajectory: Cuttable, turned: Second, kept: Kept,
): void {
  const sheet = sheetOf(canvas, ALONG_MM);
  if (!sheet) return;
  const skin = stationAt(trajectory.path, 0);
  const plane = alongPlane(skin.point, skin.direction, turned);
  const cuts = kept.of([trajectory.path, turned, state.meshes], () => cutsAt(state, plane));
  const { point } = stationAt(trajectory.path, state.depthMm);
  const from = point.clone().sub(plane.origin);
  const shift = [-from.dot(plane.right), -from.dot(plane.up)] as const;
  drawCuts(sheet, cuts, state.shown, shift, trajectory.limiting_structure);
  const shaft = trajectory.path.flatMap(corners).map((corner): readonly [number, number] => {
    const at = corner.sub(plane.origin);
    return [at.dot(plane.right) + shift[0], at.dot(plane.up) + shift[1]];
  });
  drawShaft(sheet, shaft, trajectory.outer_diameter_mm / 2, needleColour(trajectory.rank));
  drawLevel(sheet);
  const moved = cuts.map((cut) => ({
    ...cut,
    outlines: cut.outlines.map(({ points, closed }) => ({
      closed, points: points.map(([x, y]) => [x + shift[0], y + shift[1]] as const),
    })),
  }));
  drawNames(sheet, moved, state.shown, trajectory.limiting_structure);
  drawLetters(sheet, plane);
}

/** The isthmus with the ways that metal leaves free, and where the needle pierces its plane. */
function drawGate(canvas: HTMLCanvasElement, state: State, trajectory: Cuttable): string {
  const sheet = sheetOf(canvas, GATE_MM);
  const gate = state.opened && gateOf(state.opened, trajectory);
  if (!sheet || !gate) return "no isthmus was read on this side";
  const cuts = cutsAt(state, gate.plane);
  drawCuts(sheet, cuts, state.shown, [0, 0], trajectory.limiting_structure);
  drawCorridors(sheet, gate.corridors);
  drawPierced(sheet, gate.pierced, trajectory.outer_diameter_mm / 2, needleColour(trajectory.rank));
  drawNames(sheet, cuts, state.shown, trajectory.limiting_structure);
  drawLetters(sheet, gate.plane);
  const room = Math.max(0, ...gate.radiiMm);
  return `${gate.structure}: widest free circle ${mm(2 * room)}`;
}

/** The plane that holds the needle, its hub upwards. */
function alongPlane(origin: Vector3, direction: Vector3, turned: Second): Plane {
  const towards = turned === "along, from the feet" ? UP.clone() : new Vector3(-1, 0, 0);
  const into = towards.addScaledVector(direction, -towards.dot(direction));
  return planeAt(origin, into, direction.clone().negate());
}
