/** How near everything comes, along the needle from the skin to the tip. */

import type { Actions } from "../actions";
import type { Clearance, Profile, Trajectory } from "../contract";
import { fill, h, mm, svg, textSize } from "../dom";
import { lookOf } from "../looks";
import { limiting, selected, type Model } from "../model";

const TOP_MM = 12;
const LOW_MM = -2;
const CURVES = 6;

/** Where the plot lies in its drawing, px, and how depth and distance are placed in it. */
interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly x: (depthMm: number) => number;
  readonly y: (distanceMm: number) => number;
}

export function plot(model: Model, actions: Actions): HTMLElement {
  const root = h("section", { class: "plot", "aria-label": "Clearance along the needle" });
  const redraw = (): void => {
    const { profile, depthMm } = model.state;
    const trajectory = selected(model.state);
    if (!trajectory) return fill(root, h("p", { class: "empty" }, "Clearance along the needle"));
    const { clientWidth: width, clientHeight: height } = root;
    if (width === 0 || height === 0) return;
    const area = areaOf(width, height, trajectory.length_mm);
    const drawing = svg(
      "svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
        "aria-label": `distance to the nearest structures against depth; scrolled to ${mm(depthMm, 0)}` },
      ...axes(area, trajectory),
      ...(profile ? curves(trajectory, profile, area) : [note(area, "measuring …")]),
      svg("line", { class: "cursor", x1: area.x(depthMm), x2: area.x(depthMm), y1: area.top, y2: area.bottom }),
    );
    const scrolled = (event: PointerEvent): void => {
      const at = event.clientX - drawing.getBoundingClientRect().left;
      actions.looking.scroll(((at - area.left) / (area.right - area.left)) * trajectory.length_mm);
    };
    drawing.addEventListener("pointerdown", scrolled);
    drawing.addEventListener("pointermove", (event) => event.buttons > 0 && scrolled(event));
    fill(root, drawing);
  };
  model.watch((state) => [state.profile, selected(state), state.depthMm], redraw);
  new ResizeObserver(redraw).observe(root);
  return root;
}

function areaOf(width: number, height: number, lengthMm: number): Area {
  const text = textSize();
  const [left, right, top, bottom] = [3.4 * text, width - 0.5 * text, 3, height - 1.4 * text];
  return {
    left, right, top, bottom,
    x: (depth) => left + (depth / lengthMm) * (right - left),
    y: (distance) =>
      top + ((TOP_MM - Math.min(Math.max(distance, LOW_MM), TOP_MM)) / (TOP_MM - LOW_MM)) * (bottom - top),
  };
}

function axes(area: Area, trajectory: Trajectory): readonly SVGElement[] {
  const { left, right, top, bottom, x, y } = area;
  const below = bottom + 1.05 * textSize();
  const level = (value: number): SVGElement => svg(
    "g", {}, svg("line", { class: value === 0 ? "zero" : "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
    svg("text", { x: left - 4, y: y(value) + 0.3 * textSize(), "text-anchor": "end" }, value === 10 ? "10 mm" : value),
  );
  const bone = trajectory.depth_to_bone_mm;
  return [
    svg("rect", { class: "inside", x: left, y: y(0), width: right - left, height: bottom - y(0) }),
    ...[0, 2, 5, 10].map(level),
    ...ticks(trajectory.length_mm).map((depth) =>
      svg("text", { x: x(depth), y: below, "text-anchor": "middle" }, depth === 0 ? "skin" : depth)),
    svg("text", { x: right, y: below, "text-anchor": "end" }, `tip ${mm(trajectory.length_mm, 0)}`),
    ...(bone === null ? [] : [
      svg("line", { class: "grid", x1: x(bone), x2: x(bone), y1: top, y2: bottom }),
      svg("text", { x: x(bone) + 3, y: top + 0.8 * textSize() }, "bone"),
    ]),
  ];
}

function ticks(lengthMm: number): readonly number[] {
  return Array.from({ length: Math.max(Math.floor((lengthMm - 12) / 10) + 1, 1) }, (_, i) => i * 10);
}

function note({ left, right, top, bottom }: Area, text: string): SVGElement {
  return svg("text", { x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" }, text);
}

/** The structures with the smallest margins, the tightest drawn last and named. */
function curves(trajectory: Trajectory, profile: Profile, area: Area): readonly SVGElement[] {
  const tightest = limiting(trajectory).slice(0, CURVES);
  const middles = profile.depths_mm.slice(1).map((end, i) => (profile.depths_mm[i]! + end) / 2);
  return tightest.toReversed().flatMap((limit) => {
    const measured = profile.structures.find(({ structure }) => structure === limit.structure);
    if (!measured) return [];
    const points = measured.distance_mm.map((distance, i) => `${area.x(middles[i]!)},${area.y(distance)}`);
    const first = limit === tightest[0];
    const curve = svg("polyline", { class: first ? "curve first" : "curve", points: points.join(" ") },
      svg("title", {}, limit.structure));
    curve.style.stroke = lookOf(limit.kind).colour;
    return [curve, ...(limit.distance_mm <= TOP_MM ? least(limit, first, trajectory.length_mm, area) : [])];
  });
}

/** Where a structure is nearest. */
function least(limit: Clearance, first: boolean, lengthMm: number, { x, y }: Area): readonly SVGElement[] {
  const [at, height] = [x(limit.at_depth_mm), y(limit.distance_mm)];
  const mark = svg("circle", { class: "least", cx: at, cy: height, r: first ? 3.5 : 2 });
  if (!first) return [mark];
  const anchor = limit.at_depth_mm > 0.7 * lengthMm ? "end" : "middle";
  const label = svg("text", { class: "label first", x: at, y: height - 6, "text-anchor": anchor },
    `${limit.structure} ${mm(limit.distance_mm)}`);
  label.style.fill = lookOf(limit.kind).colour;
  return [mark, label];
}
