/** Points along a needle's axis, for drawing it; what is measured of it comes from the service. */

import { Vector3 } from "three";

import type { Arc, Piece, Vec3 } from "./contract";

export const vector = (point: Vec3): Vector3 => new Vector3(...point);

const plain = (point: Vector3): Vec3 => [point.x, point.y, point.z];

function arcFrame(arc: Arc): { out: Vector3; side: Vector3; angle: number } {
  const centre = vector(arc.centre_mm);
  const out = vector(arc.start_mm).sub(centre).normalize();
  const toEnd = vector(arc.end_mm).sub(centre);
  const side = toEnd.clone().addScaledVector(out, -toEnd.dot(out)).normalize();
  return { out, side, angle: (arc.angle_deg * Math.PI) / 180 };
}

export function pieceLength(piece: Piece): number {
  return piece.type === "line"
    ? vector(piece.start_mm).distanceTo(vector(piece.end_mm))
    : (piece.radius_mm * piece.angle_deg * Math.PI) / 180;
}

export function pathLength(path: readonly Piece[]): number {
  return path.reduce((sum, piece) => sum + pieceLength(piece), 0);
}

/** A point of the axis, and the way the needle goes there. */
export interface Station {
  readonly point: Vector3;
  readonly direction: Vector3;
}

function inPiece(piece: Piece, along: number): Station {
  const start = vector(piece.start_mm);
  if (piece.type === "line") {
    const direction = vector(piece.end_mm).sub(start).normalize();
    return { point: start.addScaledVector(direction, along), direction };
  }
  const { out, side } = arcFrame(piece);
  const turn = along / piece.radius_mm;
  const point = vector(piece.centre_mm)
    .addScaledVector(out, piece.radius_mm * Math.cos(turn))
    .addScaledVector(side, piece.radius_mm * Math.sin(turn));
  const direction = side.multiplyScalar(Math.cos(turn)).addScaledVector(out, -Math.sin(turn));
  return { point, direction };
}

/** The station at a depth along the path from the skin; beyond its ends, straight on. */
export function stationAt(path: readonly Piece[], depthMm: number): Station {
  let left = depthMm;
  for (const [index, piece] of path.entries()) {
    const length = pieceLength(piece);
    if (left > length && index < path.length - 1) {
      left -= length;
      continue;
    }
    const within = Math.min(Math.max(left, 0), length);
    const station = inPiece(piece, within);
    station.point.addScaledVector(station.direction, left - within);
    return station;
  }
  throw new Error("a path has at least one piece");
}

/** Corners of a polyline that is drawn for a piece. */
export function corners(piece: Piece): Vector3[] {
  const count = piece.type === "line" ? 1 : 24;
  const length = pieceLength(piece);
  return Array.from({ length: count + 1 }, (_, i) => inPiece(piece, (length * i) / count).point);
}

/** The straight path between two points. */
export function straight(entry: Vector3, tip: Vector3): readonly Piece[] {
  return [{ type: "line", start_mm: plain(entry), end_mm: plain(tip) }];
}
