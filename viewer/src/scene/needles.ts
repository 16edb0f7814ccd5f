/** Needles in the scene: true to their diameter, with their way out of the skin and what limits them. */

import {
  BufferGeometry, CatmullRomCurve3, CylinderGeometry, Group, Line, LineBasicMaterial,
  Mesh as Body, MeshBasicMaterial, MeshLambertMaterial, Object3D, SphereGeometry, TorusGeometry,
  TubeGeometry, Vector3,
} from "three";

import type { Clearance, Trajectory } from "../contract";
import { needleColour } from "../looks";
import { corners, stationAt, vector } from "../path";

const HUB_MM = 15;
const ROUND = 20;

/** What of a trajectory is drawn. */
export type Drawable = Pick<Trajectory, "rank" | "path" | "outer_diameter_mm">;

export interface NeedleLook {
  readonly selected: boolean;
  /** Of the curved inner needle, where the path has arcs. */
  readonly innerDiameterMm: number | null;
}

export function needle(trajectory: Drawable, look: NeedleLook): Group {
  const group = new Group();
  const material = new MeshLambertMaterial({
    color: needleColour(trajectory.rank),
    emissive: needleColour(trajectory.rank),
    emissiveIntensity: look.selected ? 0.45 : 0.15,
    transparent: !look.selected,
    opacity: look.selected ? 1 : 0.45,
  });
  const outer = trajectory.outer_diameter_mm / 2;
  const inner = (look.innerDiameterMm ?? trajectory.outer_diameter_mm) / 2;
  for (const piece of trajectory.path) {
    const points = corners(piece);
    group.add(
      piece.type === "line"
        ? rod(points[0]!, points.at(-1)!, outer, material)
        : new Body(new TubeGeometry(new CatmullRomCurve3(points), 32, inner, ROUND), material),
    );
  }
  const skin = stationAt(trajectory.path, 0);
  const hub = skin.point.clone().addScaledVector(skin.direction, -HUB_MM);
  group.add(rod(hub, skin.point, outer, material));
  const shaft = group.children.filter((part) => part instanceof Body);
  if (look.selected) group.add(entryRing(skin.point, skin.direction));
  group.traverse((part) => (part.renderOrder = 1));
  if (look.selected) group.add(...seenThrough(shaft, trajectory.rank), tipMark(trajectory, inner));
  return group;
}

/** The needle once more, faint, over what hides it: where it ends is always seen. */
function seenThrough(shaft: readonly Body[], rank: number): readonly Body[] {
  const material = new MeshBasicMaterial({ color: needleColour(rank), depthTest: false, transparent: true, opacity: 0.4 });
  return shaft.map((part) => {
    const faint = new Body(part.geometry, material);
    faint.position.copy(part.position);
    faint.quaternion.copy(part.quaternion);
    faint.renderOrder = 7;
    return faint;
  });
}

function tipMark({ path }: Drawable, radius: number): Body {
  const mark = new Body(
    new SphereGeometry(1.4 * radius, 20, 14),
    new MeshBasicMaterial({ color: "#ffffff", depthTest: false, transparent: true, opacity: 0.9 }),
  );
  mark.position.copy(vector(path.at(-1)!.end_mm));
  mark.renderOrder = 8;
  return mark;
}

function rod(from: Vector3, to: Vector3, radius: number, material: MeshLambertMaterial): Body {
  const body = new Body(new CylinderGeometry(radius, radius, from.distanceTo(to), ROUND), material);
  body.position.copy(from).add(to).multiplyScalar(0.5);
  align(body, to.clone().sub(from).normalize(), new Vector3(0, 1, 0));
  return body;
}

function entryRing(point: Vector3, direction: Vector3): Body {
  const ring = new Body(
    new TorusGeometry(5, 0.5, 10, 40), new MeshBasicMaterial({ color: "#ffffff" }),
  );
  ring.position.copy(point);
  align(ring, direction, new Vector3(0, 0, 1));
  return ring;
}

function align(object: Object3D, direction: Vector3, from: Vector3): void {
  object.quaternion.setFromUnitVectors(from, direction);
}

/** The shortest way from the needle to what limits it, drawn over everything. */
export function whisker(clearance: Clearance): Line {
  const ends = [vector(clearance.path_point_mm), vector(clearance.nearest_point_mm)];
  const line = new Line(
    new BufferGeometry().setFromPoints(ends),
    new LineBasicMaterial({ color: "#ffffff", depthTest: false, transparent: true }),
  );
  line.renderOrder = 9;
  return line;
}

export function disposeOf(object: Object3D): void {
  object.traverse((part) => {
    if (!(part instanceof Body || part instanceof Line)) return;
    part.geometry.dispose();
    (part.material as MeshLambertMaterial).dispose();
  });
}
