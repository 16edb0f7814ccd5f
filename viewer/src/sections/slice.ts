/** Cutting a triangle mesh by a plane: the outlines a reader sees in a section. */

import { Vector3 } from "three";

import type { Mesh } from "../scene/ply";

/** A plane to look at: its middle, and the directions to the right, up and into the picture. */
export interface Plane {
  readonly origin: Vector3;
  readonly right: Vector3;
  readonly up: Vector3;
  readonly into: Vector3;
}

/** A polyline in the plane, mm from its middle: x to the right, y up. */
export interface Outline {
  readonly points: readonly (readonly [number, number])[];
  readonly closed: boolean;
}

/** The plane through a point, seen along `into`, with `up` upwards as far as it can be. */
export function planeAt(origin: Vector3, into: Vector3, up: Vector3): Plane {
  const direction = into.clone().normalize();
  const lifted = up.clone().addScaledVector(direction, -up.dot(direction));
  if (lifted.length() < 1e-6) lifted.set(0, 1, 0).addScaledVector(direction, -direction.y);
  lifted.normalize();
  return { origin, right: direction.clone().cross(lifted), up: lifted, into: direction };
}

/** Cut a mesh; every outline is a chain of cut triangles, closed where the mesh is. */
export function outlines(mesh: Mesh, plane: Plane): Outline[] {
  const heights = heightsAbove(mesh, plane);
  if (heights === null) return [];
  return chained(...cutEdges(mesh, plane, heights));
}

function heightsAbove({ positions }: Mesh, { origin, into }: Plane): Float32Array | null {
  const heights = new Float32Array(positions.length / 3);
  const offset = origin.dot(into);
  let above = false;
  let below = false;
  for (let i = 0, j = 0; i < heights.length; i++, j += 3) {
    const height =
      positions[j]! * into.x + positions[j + 1]! * into.y + positions[j + 2]! * into.z - offset;
    heights[i] = height;
    if (height >= 0) above = true;
    else below = true;
  }
  return above && below ? heights : null;
}

type Points = Map<number, readonly [number, number]>;
type Links = Map<number, number[]>;

/** Where the plane cuts the mesh's edges, and which cuts a triangle joins. */
function cutEdges(mesh: Mesh, plane: Plane, heights: Float32Array): [Points, Links] {
  const points: Points = new Map();
  const links: Links = new Map();
  const { triangles } = mesh;
  const corner = [0, 0, 0];
  for (let i = 0; i < triangles.length; i += 3) {
    let above = 0;
    for (let k = 0; k < 3; k++) {
      corner[k] = triangles[i + k]!;
      if (heights[corner[k]!]! >= 0) above += 1;
    }
    if (above === 0 || above === 3) continue;
    const ends: number[] = [];
    for (let k = 0; k < 3; k++) {
      const a = corner[k]!;
      const b = corner[(k + 1) % 3]!;
      if ((heights[a]! >= 0) === (heights[b]! >= 0)) continue;
      const key = Math.min(a, b) * heights.length + Math.max(a, b);
      if (!points.has(key)) points.set(key, cutPoint(mesh, plane, heights, Math.min(a, b), Math.max(a, b)));
      ends.push(key);
    }
    const [one, other] = ends as [number, number];
    link(links, one, other);
    link(links, other, one);
  }
  return [points, links];
}

function link(links: Links, from: number, to: number): void {
  const known = links.get(from);
  if (known) known.push(to);
  else links.set(from, [to]);
}

function cutPoint(
  { positions }: Mesh, plane: Plane, heights: Float32Array, a: number, b: number,
): readonly [number, number] {
  const share = heights[a]! / (heights[a]! - heights[b]!);
  const at = new Vector3(
    positions[3 * a]! + share * (positions[3 * b]! - positions[3 * a]!),
    positions[3 * a + 1]! + share * (positions[3 * b + 1]! - positions[3 * a + 1]!),
    positions[3 * a + 2]! + share * (positions[3 * b + 2]! - positions[3 * a + 2]!),
  ).sub(plane.origin);
  return [at.dot(plane.right), at.dot(plane.up)];
}

function chained(points: Points, links: Links): Outline[] {
  const found: Outline[] = [];
  const free = (key: number): number | undefined => links.get(key)?.[0];
  // Ends of open chains first; what is left afterwards are rings.
  const starts = [...links.keys()].filter((key) => links.get(key)?.length === 1);
  for (const start of [...starts, ...links.keys()]) {
    if (free(start) === undefined) continue;
    const chain = [start];
    let at = start;
    for (let next = free(at); next !== undefined; next = free(at)) {
      unlink(links, at, next);
      unlink(links, next, at);
      chain.push(next);
      at = next;
    }
    const closed = at === start && chain.length > 3;
    found.push({ points: chain.map((key) => points.get(key)!), closed });
  }
  return found;
}

function unlink(links: Links, from: number, to: number): void {
  const known = links.get(from);
  if (known) known.splice(known.indexOf(to), 1);
}
