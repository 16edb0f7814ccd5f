/** Which way the patient lies in a picture, in letters at its edges. */

import type { Vector3 } from "three";

const LETTERS = [["R", "L"], ["A", "P"], ["I", "S"]] as const;

/** The patient's directions that a vector points to, the strongest first: `L`, `SL`, `PSR`. */
export function letters(direction: Vector3): string {
  const parts = [direction.x, direction.y, direction.z]
    .map((part, axis) => ({ size: Math.abs(part), letter: LETTERS[axis]![part > 0 ? 1 : 0] }))
    .filter(({ size }) => size > 0.35)
    .sort((a, b) => b.size - a.size);
  return parts.map(({ letter }) => letter).join("");
}

const NAMES: Readonly<Record<string, string>> = {
  R: "right", L: "left", A: "front", P: "back", I: "feet", S: "head",
};

/** Where an onlooker stands who looks along `into`: "from the back". */
export function standpoint(into: Vector3): string {
  const first = letters(into.clone().negate())[0] ?? "P";
  const name = NAMES[first] ?? "back";
  return name === "head" || name === "feet" ? `from the ${name}` : `from the ${name === "left" || name === "right" ? `patient's ${name}` : name}`;
}
