/**
 * Console angles and DICOM positioner angles of one C-arm position.
 *
 * DICOM angles place the detector about the patient; a console that takes every patient for
 * head-first supine shows other numbers (docs/conventions.md). The viewer's sliders are the
 * console's; what is sent to the service is DICOM's.
 */

import type { Angles } from "./contract";

const SIGNS: Readonly<Record<string, readonly [number, number, number]>> = {
  HFS: [1, 1, 1],
  HFP: [-1, -1, 1],
  FFS: [-1, 1, -1],
  FFP: [1, -1, -1],
};

/** How a patient lies, in words. */
export const LYING: Readonly<Record<string, string>> = {
  HFS: "head first, supine",
  HFP: "head first, prone",
  FFS: "feet first, supine",
  FFP: "feet first, prone",
};

const RADIAN = Math.PI / 180;

/** Turn either kind of angles into the other: the change of axes is its own inverse. */
export function otherAngles(angles: Angles, position: string): Angles {
  const [sx, sy, sz] = SIGNS[position] ?? [1, 1, 1];
  const level = Math.cos(angles.secondary_deg * RADIAN);
  const x = sx * level * Math.sin(angles.primary_deg * RADIAN);
  const y = sy * -level * Math.cos(angles.primary_deg * RADIAN);
  const z = sz * Math.sin(angles.secondary_deg * RADIAN);
  const flat = Math.hypot(x, y);
  return {
    primary_deg: flat < 1e-9 ? 0 : Math.atan2(x, -y) / RADIAN,
    secondary_deg: Math.atan2(z, flat) / RADIAN,
  };
}

/** How a view is called by where the detector is about the patient: `LPO 20 CRA 8`. */
export function viewName(dicom: Angles): string {
  const primary = Math.round(dicom.primary_deg);
  const secondary = Math.round(dicom.secondary_deg);
  const tilt = `${secondary > 0 ? "CRA" : "CAU"} ${Math.abs(secondary)}`;
  if (Math.abs(secondary) === 90) return tilt;
  return secondary === 0 ? rotation(primary) : `${rotation(primary)} ${tilt}`;
}

function rotation(primary: number): string {
  if (primary === 0) return "AP";
  if (Math.abs(primary) === 180) return "PA";
  if (Math.abs(primary) === 90) return primary > 0 ? "L LAT" : "R LAT";
  const side = primary > 0 ? "L" : "R";
  const turn = Math.abs(primary);
  return turn < 90 ? `${side}AO ${turn}` : `${side}PO ${180 - turn}`;
}

/** DICOM angles of the view down a needle that goes this way: the detector is over its hub. */
export function bullsEye(direction: { x: number; y: number; z: number }): Angles {
  const { x, y, z } = direction;
  return {
    primary_deg: Math.atan2(-x, y) / RADIAN,
    secondary_deg: Math.atan2(-z, Math.hypot(x, y)) / RADIAN,
  };
}
