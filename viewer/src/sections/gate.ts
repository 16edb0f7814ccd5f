/** The isthmus of the pedicle that a needle goes by, and the ways through it that metal leaves free. */

import { Vector3 } from "three";

import type { CaseDescription, Trajectory, Vec3 } from "../contract";
import { stationAt, vector } from "../path";
import { planeAt, type Outline, type Plane } from "./slice";

export interface Gate {
  readonly structure: string;
  readonly plane: Plane;
  readonly corridors: readonly Outline[];
  /** Widest needle radius that has room in each corridor, mm. */
  readonly radiiMm: readonly number[];
  /** Where the needle's axis pierces the plane, mm from its middle. */
  readonly pierced: readonly [number, number];
}

/** The gate nearest to a needle on its side; null where no isthmus was read. */
export function gateOf(opened: CaseDescription, trajectory: Pick<Trajectory, "path" | "side">): Gate | null {
  const { point, direction } = stationAt(trajectory.path, 0);
  const { side } = trajectory;
  if (side === null) return null;
  const offered = opened.vertebrae.flatMap(({ structure, pedicles }) => {
    const { centre_mm: centre, axis, corridors } = pedicles[side];
    if (!centre || !axis) return [];
    const off = vector(centre).sub(point).cross(direction).length();
    return [{ structure, centre, axis, corridors: corridors ?? [], off }];
  });
  const nearest = offered.sort((a, b) => a.off - b.off)[0];
  if (!nearest) return null;
  const plane = planeAt(vector(nearest.centre), vector(nearest.axis), new Vector3(0, 0, 1));
  const along = plane.origin.clone().sub(point).dot(plane.into) / direction.dot(plane.into);
  return {
    structure: nearest.structure,
    plane,
    corridors: nearest.corridors.flatMap(({ outlines_mm: rings }) => rings.map((ring) => flat(ring, plane))),
    radiiMm: nearest.corridors.map(({ circle }) => circle.radius_mm),
    pierced: inPlane(point.addScaledVector(direction, along), plane),
  };
}

function flat(ring: readonly Vec3[], plane: Plane): Outline {
  return { points: ring.map((corner) => inPlane(vector(corner), plane)), closed: true };
}

function inPlane(point: Vector3, { origin, right, up }: Plane): readonly [number, number] {
  const from = point.sub(origin);
  return [from.dot(right), from.dot(up)];
}
