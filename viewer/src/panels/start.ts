/** Opening a case: one of the samples, one the service has, or files that are dropped here. */

import type { Actions } from "../actions";
import {
  bundleOf, chosenFiles, documentFor, droppedFiles, suggested,
  type Bundle, type FileAt, type MeshEntry,
} from "../bundle";
import { fill, h, words } from "../dom";
import { KINDS } from "../looks";
import type { Model } from "../model";

export function start(model: Model, actions: Actions): HTMLElement {
  const form = h("div", { class: "missing" });
  const samples = h("div", { class: "cards" });
  const stored = h("div", { class: "cards" });
  model.watch(
    (state) => [state.samples, state.link],
    (state) => fill(
      samples,
      ...state.samples.map(({ name, title }) =>
        card(title, `sample “${name}”, synthetic`, () => void actions.cases.openSample(name)),
      ),
      state.samples.length === 0 && h("p", { class: "quiet" }, state.link === "online" ? "none" : "waiting for the service …"),
    ),
  );
  model.watch(
    (state) => [state.cases],
    (state) => fill(
      stored,
      ...state.cases.map((one) =>
        card(one.name, `${one.structures} ${one.structures === 1 ? "structure" : "structures"}, handed in ${one.created.slice(0, 16).replace("T", " ")}`,
          () => void actions.cases.openStored(one.case_id)),
      ),
      state.cases.length === 0 && h("p", { class: "quiet" }, "none yet"),
    ),
  );
  const take = async (given: readonly FileAt[]): Promise<void> => {
    fill(form);
    try {
      const bundle = await bundleOf(given);
      if (bundle.document !== null) await actions.cases.openBundle(bundle.document, bundle.files);
      else if (bundle.files.size > 0) form.append(missingForm(bundle, actions));
      else throw new Error("there is no case.json and no mesh (PLY, STL, OBJ, OFF, GLB, VTP, VTK) among these files");
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      model.set({ notice: { tone: "error", title: "These files cannot be used", lines: [why] } });
    }
  };
  return h(
    "main", { class: "start" },
    h("h1", {}, "Open a case"),
    dropZone(take),
    form,
    h("h2", {}, "Samples"), samples,
    h("h2", {}, "Cases the service has"), stored,
  );
}

function card(title: string, more: string, open: () => void): HTMLElement {
  return h("button", { type: "button", class: "card", onclick: open }, h("strong", {}, title), h("span", {}, more));
}

function dropZone(take: (files: readonly FileAt[]) => Promise<void>): HTMLElement {
  const input = h("input", {
    type: "file", multiple: true, id: "files",
    onchange: () => input.files && void take(chosenFiles(input.files)),
  });
  const zone = h(
    "div",
    {
      class: "drop",
      ondragover: (event: DragEvent) => {
        event.preventDefault();
        zone.classList.add("over");
      },
      ondragleave: () => zone.classList.remove("over"),
      ondrop: (event: DragEvent) => {
        event.preventDefault();
        zone.classList.remove("over");
        if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(take);
      },
    },
    h("p", {}, h("strong", {}, "Drop a case here:"), " a zip, a folder with case.json, or meshes alone."),
    h("label", { for: "files" }, "or choose files "), input,
    h("p", { class: "quiet" }, "The shape of a spine identifies a person. Files go to this service and nowhere else."),
  );
  return zone;
}

/** What case.json would have said, asked for each mesh; guesses from names are to be checked. */
function missingForm(bundle: Bundle, actions: Actions): HTMLElement {
  const meshes = [...bundle.files.keys()].map(suggested);
  const name = h("input", { type: "text", value: "case without a name", id: "case-name", required: true });
  const system = choice("case-frame", "", ["LPS", "RAS"], true);
  const units = choice("case-units", "", ["mm", "cm", "m"], true);
  return h(
    "form",
    {
      onsubmit: (event: Event) => {
        event.preventDefault();
        const frame = { name: name.value, system: system.value, units: units.value };
        void actions.cases.openBundle(documentFor(meshes, frame), bundle.files);
      },
    },
    h("h2", {}, "These meshes came without case.json"),
    h("p", {}, "A mesh carries neither its frame nor its units, nor what it is. The kinds below are guessed from file names: check every row."),
    h("div", { class: "fields" },
      h("label", {}, "Case ", name), h("label", {}, "Frame ", system), h("label", {}, "Units ", units)),
    h("table", {},
      h("thead", {}, h("tr", {}, ...["File", "Name", "Kind", "Level", "Side"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...meshes.map(meshRow))),
    bundle.ignored.length > 0 && h("p", { class: "quiet" }, `Left out: ${bundle.ignored.join(", ")}`),
    h("button", { type: "submit", class: "primary" }, "Open"),
  );
}

const LEVELS = ["C7", ...Array.from({ length: 12 }, (_, i) => `T${i + 1}`), ...Array.from({ length: 6 }, (_, i) => `L${i + 1}`), "S1", "S2"];

function meshRow(entry: MeshEntry): HTMLElement {
  const kinds = KINDS.map((kind) => [kind, words(kind)] as const);
  const text = h("input", { type: "text", value: entry.name, required: true, "aria-label": `name of ${entry.file}` });
  text.addEventListener("input", () => (entry.name = text.value));
  const kind = choice(`kind of ${entry.file}`, entry.kind, kinds, true);
  kind.addEventListener("change", () => (entry.kind = kind.value));
  const level = choice(`level of ${entry.file}`, entry.level, LEVELS, false);
  level.addEventListener("change", () => (entry.level = level.value));
  const side = choice(`side of ${entry.file}`, entry.side, ["left", "right"], false);
  side.addEventListener("change", () => (entry.side = side.value));
  return h("tr", {}, h("td", {}, entry.file), ...[text, kind, level, side].map((one) => h("td", {}, one)));
}

function choice(
  label: string, value: string, options: readonly (string | readonly [string, string])[], required: boolean,
): HTMLSelectElement {
  const pairs = options.map((one) => (typeof one === "string" ? ([one, one] as const) : one));
  const select = h(
    "select", { "aria-label": label, id: label.startsWith("case-") ? label : undefined, required },
    h("option", { value: "" }, required ? "choose …" : "–"),
    ...pairs.map(([code, text]) => h("option", { value: code }, text)),
  );
  select.value = value;
  return select;
}
