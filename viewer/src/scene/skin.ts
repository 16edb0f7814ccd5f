/** The skin map in the scene: a disc at every place, as large and coloured as its best margin. */

import {
  CircleGeometry, Color, DoubleSide, InstancedMesh, Matrix4, MeshBasicMaterial, Quaternion, Vector3,
} from "three";

import type { Place } from "../contract";
import { marginClass } from "../looks";
import { vector } from "../path";

const SHARE_OF_GAP = 0.46;
const LIFTED_MM = 0.6;

/** A place from which a path was found. */
export type Reached = Place & { readonly margin_mm: number; readonly tip_mm: NonNullable<Place["tip_mm"]> };

export function reached(places: readonly Place[]): readonly Reached[] {
  return places.filter((one): one is Reached => one.margin_mm !== null && one.tip_mm !== null);
}

/** Discs square to the paths from there, which are `stepDeg` apart seen from their ends. */
export function discs(places: readonly Reached[], stepDeg: number): InstancedMesh {
  const material = new MeshBasicMaterial({ side: DoubleSide, transparent: true, opacity: 0.92 });
  const made = new InstancedMesh(new CircleGeometry(1, 20), material, places.length);
  const [along, turned] = [new Vector3(0, 0, 1), new Quaternion()];
  places.forEach((place, i) => {
    const entry = vector(place.entry_mm);
    const out = entry.clone().sub(vector(place.tip_mm));
    const gap = (out.length() * stepDeg * Math.PI) / 180;
    const { colour, share } = marginClass(place.margin_mm);
    out.normalize();
    turned.setFromUnitVectors(along, out);
    const size = new Vector3().setScalar(SHARE_OF_GAP * gap * share);
    made.setMatrixAt(i, new Matrix4().compose(entry.addScaledVector(out, LIFTED_MM), turned, size));
    made.setColorAt(i, new Color(colour));
  });
  made.renderOrder = 5;
  return made;
}
