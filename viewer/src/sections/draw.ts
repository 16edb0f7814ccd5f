/** Drawing a section: filled outlines of everything that is shown, with letters at the edges. */

import type { Shown } from "../model";
import { lookOf } from "../looks";
import { textSize } from "../dom";
import { letters } from "../scene/orientation";
import type { Outline, Plane } from "./slice";

export interface Cut {
  readonly name: string;
  readonly kind: string;
  readonly outlines: readonly Outline[];
}

/** A canvas being drawn on, mm from its middle, y up. */
export interface Sheet {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  /** Pixels per millimetre. */
  readonly scale: number;
}

const ORDER = ["Skin", "Pleura and organs", "Bone", "Findings", "Vessels", "Nerves", "Hardware"];
const NAMED_WITHIN_MM = 14;

/** Clear a canvas to its size in the page; `radiusMm` of the patient fit into its smaller side. */
export function sheetOf(canvas: HTMLCanvasElement, radiusMm: number): Sheet | null {
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext("2d");
  if (!context || width === 0 || height === 0) return null;
  const ratio = Math.min(devicePixelRatio, 2);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = "#05080c";
  context.fillRect(0, 0, width, height);
  return { context, width, height, scale: Math.min(width, height) / (2 * radiusMm) };
}

const px = ({ width, scale }: Sheet, x: number): number => width / 2 + x * scale;
const py = ({ height, scale }: Sheet, y: number): number => height / 2 - y * scale;

/** Draw what is cut, with what limits the needle firmly outlined. */
export function drawCuts(
  sheet: Sheet, cuts: readonly Cut[], shown: ReadonlyMap<string, Shown>, shift: readonly [number, number],
  limiting: string | null,
): void {
  const rank = ({ kind }: Cut): number => ORDER.indexOf(lookOf(kind).group);
  for (const cut of [...cuts].sort((a, b) => rank(a) - rank(b))) {
    if (shown.get(cut.name)?.visible === false) continue;
    drawCut(sheet, cut, shift, cut.name === limiting);
  }
}

function trace(
  sheet: Sheet, outlines: readonly Outline[], [dx, dy]: readonly [number, number],
): void {
  const { context } = sheet;
  context.beginPath();
  for (const { points, closed } of outlines) {
    points.forEach(([x, y], i) => {
      if (i === 0) context.moveTo(px(sheet, x + dx), py(sheet, y + dy));
      else context.lineTo(px(sheet, x + dx), py(sheet, y + dy));
    });
    if (closed) context.closePath();
  }
}

function drawCut(
  sheet: Sheet, { kind, outlines }: Cut, shift: readonly [number, number], limits: boolean,
): void {
  const { context } = sheet;
  const look = lookOf(kind);
  trace(sheet, outlines, shift);
  context.fillStyle = look.colour;
  context.globalAlpha = look.metallic ? 0.75 : look.group === "Skin" ? 0 : look.group === "Bone" ? 0.28 : 0.4;
  if (outlines.every(({ closed }) => closed)) context.fill("evenodd");
  context.globalAlpha = 1;
  context.strokeStyle = look.colour;
  context.lineWidth = limits ? 3 : 1.5;
  context.stroke();
}

/** The way from the needle, end-on in the middle, to where what limits it is nearest in this picture. */
export function drawGap(sheet: Sheet, cuts: readonly Cut[], limiting: string | null, radiusMm: number): void {
  const cut = cuts.find(({ name }) => name === limiting);
  const { x, y, distance } = cut ? nearestTo(cut) : { x: 0, y: 0, distance: Infinity };
  if (distance > NAMED_WITHIN_MM || distance <= radiusMm) return;
  const { context } = sheet;
  context.beginPath();
  context.moveTo(px(sheet, (x * radiusMm) / distance), py(sheet, (y * radiusMm) / distance));
  context.lineTo(px(sheet, x), py(sheet, y));
  context.strokeStyle = "#ffffff";
  context.lineWidth = 2.5;
  context.stroke();
}

/** Names beside what is near the middle, where the needle is, clear of each other and of `kept` places, px. */
export function drawNames(
  sheet: Sheet, cuts: readonly Cut[], shown: ReadonlyMap<string, Shown>, limiting: string | null,
  kept: readonly (readonly [number, number])[] = [],
): void {
  const { context } = sheet;
  const size = textSize();
  const edges = [[size, sheet.height / 2], [sheet.width - size, sheet.height / 2], [sheet.width / 2, size], [sheet.width / 2, sheet.height - size]] as const;
  const taken = [...edges, ...kept].map(([x, y]) => ({ x, y, half: 1.2 * size }));
  const near = cuts
    .filter(({ name, kind }) => shown.get(name)?.visible !== false && !["Bone", "Skin"].includes(lookOf(kind).group))
    .map((cut) => ({ cut, at: nearestTo(cut) }))
    .filter(({ at }) => at.distance < NAMED_WITHIN_MM)
    .sort((a, b) => Number(b.cut.name === limiting) - Number(a.cut.name === limiting) || a.at.distance - b.at.distance);
  for (const { cut, at } of near) {
    const first = cut.name === limiting;
    context.font = font(first ? 0.95 : 0.88, first);
    const half = context.measureText(cut.name).width / 2;
    const outward = 1 + 10 / Math.max(at.distance * sheet.scale, 1);
    const x = Math.min(Math.max(px(sheet, at.x * outward), half + 4), sheet.width - half - 4);
    const places = [0, 1, -1, 2, -2, 3, -3].map((lines) =>
      Math.min(Math.max(py(sheet, at.y * outward) + 4 + 1.1 * size * lines, 30), sheet.height - 22));
    const y = places.find((place) => !taken.some((other) =>
      Math.abs(other.x - x) < other.half + half && Math.abs(other.y - place) < size)) ?? (first ? places[0] : undefined);
    if (y === undefined) continue;
    taken.push({ x, y, half });
    text(context, cut.name, x, y, lookOf(cut.kind).colour);
  }
}

function nearestTo({ outlines }: Cut): { x: number; y: number; distance: number } {
  let nearest = { x: 0, y: 0, distance: Infinity };
  for (const { points } of outlines) {
    for (const [x, y] of points) {
      const distance = Math.hypot(x, y);
      if (distance < nearest.distance) nearest = { x, y, distance };
    }
  }
  return nearest;
}

function font(share: number, bold: boolean): string {
  return `${bold ? "600 " : ""}${share * textSize()}px system-ui, sans-serif`;
}

function text(context: CanvasRenderingContext2D, said: string, x: number, y: number, colour: string): void {
  context.textAlign = "center";
  context.lineWidth = 3;
  context.strokeStyle = "#05080c";
  context.strokeText(said, x, y);
  context.fillStyle = colour;
  context.fillText(said, x, y);
}

export function drawLetters(sheet: Sheet, { right, up }: Plane): void {
  const { context, width, height } = sheet;
  context.font = font(1, true);
  const size = textSize();
  text(context, letters(right), width - size, height / 2 + 4, "#9fb3c8");
  text(context, letters(right.clone().negate()), size, height / 2 + 4, "#9fb3c8");
  text(context, letters(up), width / 2, 1.1 * size, "#9fb3c8");
  text(context, letters(up.clone().negate()), width / 2, height - 0.4 * size, "#9fb3c8");
}

/** Where a needle may go: filled and firmly outlined. */
export function drawCorridors(sheet: Sheet, corridors: readonly Outline[]): void {
  const { context } = sheet;
  trace(sheet, corridors, [0, 0]);
  context.fillStyle = "#4fd8ab";
  context.globalAlpha = 0.45;
  context.fill("evenodd");
  context.globalAlpha = 1;
  context.strokeStyle = "#4fd8ab";
  context.lineWidth = 2;
  context.stroke();
}

/** A needle end-on away from the middle, true to its diameter. */
export function drawPierced(
  sheet: Sheet, [x, y]: readonly [number, number], radiusMm: number, colour: string,
): void {
  const { context } = sheet;
  context.beginPath();
  context.arc(px(sheet, x), py(sheet, y), radiusMm * sheet.scale, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = "#ffffff";
  context.lineWidth = 1;
  context.stroke();
}

const RINGS_MM = [2, 5, 10];

/** Where the rings' figures stand, px. */
export function ringFigures(sheet: Sheet, radiusMm: number): readonly (readonly [number, number])[] {
  return RINGS_MM.map((clearance) => [px(sheet, 0), py(sheet, radiusMm + clearance) + 4]);
}

/** The needle end-on, true to its diameter, and how far 2, 5 and 10 mm from its surface are. */
export function drawRings(sheet: Sheet, radiusMm: number, colour: string): void {
  const { context } = sheet;
  context.lineWidth = 1;
  for (const [i, clearance] of RINGS_MM.entries()) {
    context.setLineDash([3, 4]);
    context.strokeStyle = "#dbe7f380";
    circle(sheet, radiusMm + clearance);
    context.stroke();
    context.setLineDash([]);
    context.font = font(0.82, false);
    const [x, y] = ringFigures(sheet, radiusMm)[i]!;
    text(context, clearance === 10 ? "10 mm" : String(clearance), x, y, "#dbe7f3");
  }
  circle(sheet, radiusMm);
  context.fillStyle = colour;
  context.fill();
}

function circle(sheet: Sheet, radius: number): void {
  sheet.context.beginPath();
  sheet.context.arc(px(sheet, 0), py(sheet, 0), radius * sheet.scale, 0, 2 * Math.PI);
}

/** The needle from the side: a strip of its true width through points that lie in the picture. */
export function drawShaft(
  sheet: Sheet, points: readonly (readonly [number, number])[], radiusMm: number, colour: string,
): void {
  const { context } = sheet;
  context.beginPath();
  points.forEach(([x, y], i) => {
    if (i === 0) context.moveTo(px(sheet, x), py(sheet, y));
    else context.lineTo(px(sheet, x), py(sheet, y));
  });
  context.strokeStyle = colour;
  context.lineWidth = Math.max(2 * radiusMm * sheet.scale, 1.5);
  context.stroke();
}

/** A line across the needle where the other section is. */
export function drawLevel(sheet: Sheet): void {
  const { context } = sheet;
  context.setLineDash([6, 5]);
  context.strokeStyle = "#ffffff";
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, py(sheet, 0));
  context.lineTo(sheet.width, py(sheet, 0));
  context.stroke();
  context.setLineDash([]);
}
