/** Meshes as somebody handed them in: to be seen while the service still checks and reads them. */

import type { BufferGeometry } from "three";
import { PLYLoader } from "three/addons/loaders/PLYLoader.js";
import { STLLoader } from "three/addons/loaders/STLLoader.js";

import type { Mesh } from "./scene/ply";

export interface HandedIn {
  readonly kind: string;
  readonly mesh: Mesh;
}

interface Document {
  readonly coordinate_system?: unknown;
  readonly units?: unknown;
  readonly structures?: readonly { readonly name?: unknown; readonly kind?: unknown; readonly file?: unknown }[];
}

const MM: Readonly<Record<string, number>> = { mm: 1, cm: 10, m: 1000 };
/** Signs of x and y in patient LPS. */
const SIGNS: Readonly<Record<string, number>> = { LPS: 1, RAS: -1 };
const READERS: Readonly<Record<string, (bytes: ArrayBuffer) => BufferGeometry>> = {
  ply: (bytes) => new PLYLoader().parse(bytes),
  stl: (bytes) => new STLLoader().parse(bytes),
};

/** What can be drawn at once, by name; the rest comes from the service, which also says what is wrong. */
export async function handedIn(
  document: string, files: ReadonlyMap<string, Blob>,
): Promise<ReadonlyMap<string, HandedIn>> {
  const found = new Map<string, HandedIn>();
  const { coordinate_system: system, units, structures } = described(document);
  const [scale, sign] = [MM[String(units)], SIGNS[String(system)]];
  if (scale === undefined || sign === undefined || !Array.isArray(structures)) return found;
  for (const { name, kind, file } of structures) {
    const mesh = await read(String(file), files);
    if (mesh?.getAttribute("position")?.count) {
      found.set(String(name), { kind: String(kind), mesh: placed(mesh, scale, sign) });
    }
  }
  return found;
}

function described(document: string): Document {
  try {
    return JSON.parse(document) as Document;
  } catch {
    return {};
  }
}

async function read(file: string, files: ReadonlyMap<string, Blob>): Promise<BufferGeometry | null> {
  const blob = files.get(file);
  const reader = READERS[file.split(".").pop()?.toLowerCase() ?? ""];
  if (!blob || !reader) return null;
  try {
    return reader(await blob.arrayBuffer());
  } catch {
    return null;
  }
}

/** The mesh in patient LPS, mm. */
function placed(geometry: BufferGeometry, scale: number, sign: number): Mesh {
  const positions = Float32Array.from(geometry.getAttribute("position").array);
  for (let i = 0; i < positions.length; i += 3) {
    positions[i]! *= sign * scale;
    positions[i + 1]! *= sign * scale;
    positions[i + 2]! *= scale;
  }
  const triangles = geometry.index?.array ?? Uint32Array.from({ length: positions.length / 3 }, (_, i) => i);
  return { positions, triangles: Uint32Array.from(triangles) };
}
