/** From files somebody dropped to a case that can be handed in. The service never unzips; we do. */

import { unzip } from "fflate";

export interface Bundle {
  /** case.json, if there was one. */
  readonly document: string | null;
  /** Meshes, and the label map that case.json names, by their path beside it. */
  readonly files: ReadonlyMap<string, Blob>;
  /** What was left out, so that nothing disappears silently. */
  readonly ignored: readonly string[];
}

/** What is asked about a mesh where no case.json says it. */
export interface MeshEntry {
  readonly file: string;
  name: string;
  kind: string;
  level: string;
  side: string;
}

export interface FileAt {
  readonly path: string;
  readonly blob: Blob;
}

const MESHES = /\.(ply|stl|obj|off|glb|vtp|vtk)$/i;
const MOST_UNPACKED = 2 ** 30;

/** Every file of a drop, folders walked through. */
export async function droppedFiles(drop: DataTransfer): Promise<FileAt[]> {
  const entries = [...drop.items].map((item) => item.webkitGetAsEntry());
  const files = [...drop.files];
  const found = await Promise.all(
    entries.map((entry, i): Promise<FileAt[]> => {
      if (entry) return walked(entry);
      const file = files[i];
      return Promise.resolve(file ? [{ path: file.name, blob: file }] : []);
    }),
  );
  return found.flat();
}

export function chosenFiles(list: FileList): FileAt[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, blob: file }));
}

async function walked(entry: FileSystemEntry): Promise<FileAt[]> {
  if (entry.isFile) {
    const blob = await new Promise<File>((done, failed) =>
      (entry as FileSystemFileEntry).file(done, failed),
    );
    return [{ path: entry.fullPath.replace(/^\//, ""), blob }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileAt[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) =>
      reader.readEntries(done, failed),
    );
    if (some.length === 0) return found;
    for (const child of some) found.push(...(await walked(child)));
  }
}

/** Take files apart into case.json and what it names, or meshes alone; archives are unpacked. */
export async function bundleOf(given: readonly FileAt[]): Promise<Bundle> {
  const all: FileAt[] = [];
  for (const file of given) {
    if (/\.zip$/i.test(file.path)) all.push(...(await unpacked(file.blob)));
    else all.push(file);
  }
  const documents = all.filter((file) => file.path.split("/").pop() === "case.json");
  if (documents.length > 1) {
    throw new Error("there are several case.json among these files; hand in one case at a time");
  }
  const found = documents[0];
  const root = found ? found.path.slice(0, -"case.json".length) : "";
  const document = found ? await found.blob.text() : null;
  const named = document === null ? null : namedIn(document);
  const beside = all.filter((file) => file.path.startsWith(root) && !documents.includes(file));
  const taken = beside.filter(({ path }) => named?.has(path.slice(root.length)) ?? MESHES.test(path));
  const used = new Set([...taken, ...documents]);
  return {
    document,
    files: new Map(taken.map((file) => [file.path.slice(root.length), file.blob])),
    ignored: all.filter((file) => !used.has(file)).map((file) => file.path),
  };
}

async function unpacked(archive: Blob): Promise<FileAt[]> {
  const bytes = new Uint8Array(await archive.arrayBuffer());
  let total = 0;
  const entries = await new Promise<Record<string, Uint8Array>>((done, failed) => {
    const filter = (entry: { originalSize: number }): boolean => {
      total += entry.originalSize;
      return total <= MOST_UNPACKED;
    };
    unzip(bytes, { filter }, (error, files) =>
      error ? failed(new Error("the zip file cannot be unpacked: " + error.message)) : done(files),
    );
  });
  if (total > MOST_UNPACKED) throw new Error("the zip file holds more than 1 GiB");
  return Object.entries(entries)
    .filter(([path]) => !path.endsWith("/") && !path.startsWith("__MACOSX/"))
    .map(([path, data]) => ({ path, blob: new Blob([data as Uint8Array<ArrayBuffer>]) }));
}

/** The multipart form of a bundle: part `case`, and one part for each of its files. */
export function formOf(document: string, files: ReadonlyMap<string, Blob>): FormData {
  const form = new FormData();
  form.append("case", new Blob([document], { type: "application/json" }), "case.json");
  for (const [name, blob] of files) form.append(name, blob, name.split("/").pop());
  return form;
}

/** The files a case names; null where that cannot be told, which the service then says better. */
function namedIn(document: string): ReadonlySet<string | undefined> | null {
  try {
    const { structures, labelmap } = JSON.parse(document) as {
      structures: { file?: string }[]; labelmap?: string;
    };
    return new Set([...structures.map((structure) => structure.file), labelmap]);
  } catch {
    return null;
  }
}

/** What a file's name suggests; shown for the reader to correct, never used unseen. */
export function suggested(file: string): MeshEntry {
  const name = (file.split("/").pop() ?? file).replace(/\.[^.]+$/, "");
  const level = /(?:^|[^A-Za-z0-9])(C7|T1[0-2]|T[1-9]|L[1-6]|S[12])(?![0-9])/i.exec(name)?.[1] ?? "";
  const side = /(?:^|_|-)(L|left)$/i.test(name) ? "left" : /(?:^|_|-)(R|right)$/i.test(name) ? "right" : "";
  return { file, name, kind: suggestedKind(name), level: level.toUpperCase(), side };
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/screw/i, "screw"], [/rod/i, "rod"], [/cage/i, "cage"], [/cross/i, "crosslink"],
  [/sac\b|dural|canal|cord/i, "canal"], [/root|nerve/i, "nerve_root"],
  [/pleura|lung/i, "pleura"], [/segmental/i, "segmental_vessel"],
  [/aorta|ivc|cava|iliac_|vessel|artery|vein/i, "vessel"],
  [/skin|body_?surface/i, "skin"], [/sacrum/i, "sacrum"], [/ilium|hip/i, "ilium"],
  [/rib/i, "rib"], [/disc/i, "disc"], [/halo/i, "halo"], [/lesion|tumou?r/i, "lesion"],
  [/cement/i, "cement"], [/^(vertebra_?)?(c7|t1[0-2]|t[1-9]|l[1-6])$/i, "vertebra"],
];

function suggestedKind(name: string): string {
  return HINTS.find(([pattern]) => pattern.test(name))?.[1] ?? "";
}

/** case.json for meshes that came without one. */
export function documentFor(
  meshes: readonly MeshEntry[], frame: { name: string; system: string; units: string },
): string {
  return JSON.stringify({
    schema: "trocar/case/1",
    name: frame.name,
    coordinate_system: frame.system,
    units: frame.units,
    structures: meshes.map(({ file, name, kind, level, side }) => ({
      name, kind, file, ...(level ? { level } : {}), ...(side ? { side } : {}),
    })),
  });
}
