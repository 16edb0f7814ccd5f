/** What limits the needle, over the scene: to be seen before anything else. */

import type { Clearance, Trajectory } from "../contract";
import { degrees, fill, h, mm, number, words } from "../dom";
import { lookOf, needleColour } from "../looks";
import { limiting, ranked, selected, standing, STANDINGS, type Model } from "../model";

const SHOWN = 5;
const FULL_MM = 10;

export function verdict(model: Model): HTMLElement {
  const root = h("aside", { class: "verdict", "aria-live": "polite", "aria-label": "What limits the needle" });
  model.watch(
    (state) => [selected(state), ranked(state, state.compared), state.plan, state.mode, state.skin],
    (state) => {
      const trajectory = selected(state);
      const other = ranked(state, state.compared);
      root.hidden = state.mode === "target" || state.skin !== null || (trajectory === null && state.plan?.outcome !== "no_safe_path");
      if (trajectory) fill(root, other && other !== trajectory ? comparison(trajectory, other) : card(trajectory));
      else if (!root.hidden) fill(root, h("p", { class: "big broken" }, "✕ No safe path"), h("p", {}, "Every way that was searched is proved closed: see “Why not?”."));
    },
  );
  return root;
}

function card(trajectory: Trajectory): HTMLElement {
  const how = standing(trajectory);
  const tightest = limiting(trajectory);
  const root = h(
    "div", { class: "verdict-card" },
    h("p", { class: `big ${how}` }, STANDINGS[how].sign, " ", mm(trajectory.margin_mm), h("small", {}, " margin")),
    h("p", {},
      named(trajectory), ": ",
      tightest[0] ? h("strong", {}, tightest[0].structure) : "nothing limits it",
      tightest[0] && ` ${mm(tightest[0].distance_mm)} away, ${mm(tightest[0].required_mm)} required, ${mm(tightest[0].at_depth_mm, 0)} deep`),
    h("p", { class: "quiet" }, STANDINGS[how].text, trajectory.reaches_target ? "" : "; does not reach the target"),
    h("p", { title: "simulated placements that nobody corrects on the way; they compare paths and predict nothing" },
      ...breachText(trajectory)),
    h("table", { class: "bars" }, ...tightest.slice(0, SHOWN).map(bar)),
    trajectory.cautions.length > 0 && h(
      "details", {}, h("summary", {}, `▲ ${trajectory.cautions.length} caution${trajectory.cautions.length > 1 ? "s" : ""}`),
      h("ul", {}, ...trajectory.cautions.map((line) => h("li", {}, line))),
    ),
    cementGuidance(trajectory),
  );
  root.style.borderLeftColor = needleColour(trajectory.rank);
  return root;
}

/** Two paths side by side: what decides between them, and how near each comes to what limits either. */
function comparison(one: Trajectory, other: Trajectory): HTMLElement {
  const both = [one, other];
  const margins = both.map((path) => path.margin_mm);
  const line = (title: string, of: (path: Trajectory) => string | HTMLElement): HTMLElement =>
    h("tr", {}, h("th", { scope: "row" }, title), ...both.map((path) => h("td", {}, of(path))));
  const names = [...new Set(both.flatMap((path) => limiting(path).slice(0, SHOWN - 1).map(({ structure }) => structure)))];
  const bullsEye = (path: Trajectory): string => path.views.find(({ role }) => role === "bulls_eye")?.label ?? "–";
  return h(
    "div", { class: "verdict-card comparison" },
    h("p", { class: "difference" }, difference(one, other)),
    h("table", {},
      h("thead", {}, h("tr", {}, h("td", {}), ...both.map((path) => {
        const swatch = h("span", { class: "swatch" });
        swatch.style.background = needleColour(path.rank);
        return h("th", { scope: "col" }, swatch, named(path));
      }))),
      h("tbody", {},
        line("margin", (path) => h("strong", { class: standing(path) }, STANDINGS[standing(path)].sign, " ", mm(path.margin_mm),
          path.margin_mm === Math.max(...margins) && margins[0] !== margins[1] ? " larger" : "")),
        line("limited by", (path) => path.limiting_structure ?? "nothing"),
        line("length", (path) => mm(path.length_mm, 0)),
        line("tolerance", ({ tolerance: t }) => (t ? `${mm(t.entry_mm)}, ${degrees(t.angle_deg)}` : "–")),
        line("placements that enter", ({ breach_probability: { total } }) => `${Math.round(total * 100)} %`),
        line("bull’s-eye", bullsEye),
        ...names.map((name) => line(`to ${name}`, ({ clearances }) => mm(clearances.find(({ structure }) => structure === name)?.distance_mm ?? null))))),
  );
}

function difference(first: Trajectory, other: Trajectory): string {
  const more = (by: number, [larger, smaller]: readonly [string, string]): string =>
    Math.abs(by) < 0.05 ? "" : `${mm(Math.abs(by))} ${by > 0 ? larger : smaller}`;
  const said = [
    more(other.margin_mm - first.margin_mm, ["more margin", "less margin"]),
    more(other.length_mm - first.length_mm, ["more length", "less length"]),
  ].filter((one) => one !== "");
  return said.length > 0
    ? `Against ${named(first)}, ${named(other)} has ${said.join(" and ")}`
    : `Margin and length are the same for ${named(first)} and ${named(other)}`;
}

function named({ rank }: Trajectory): string {
  return rank === 0 ? "the drawn path" : `no. ${rank}`;
}

/** How much to fill and where to stop, as the service advises. */
function cementGuidance({ cement, tamp }: Trajectory): HTMLElement | null {
  if (!cement) return null;
  const { goal, cap_ml: cap, cap_by: capBy } = cement;
  const ml = (volume: number): string => `${number(volume, 1)} ml`;
  return h(
    "details", { class: "cement" },
    h("summary", {}, `Cement: aim at ${ml(goal.aim_ml)}`, cap !== null && `, no more than ${ml(cap)}`),
    h("p", {}, `${ml(goal.least_ml)} to ${ml(goal.most_ml)} (${goal.source}); ${ml(cement.expected_ml)} expected here`,
      capBy !== null && `; capped by ${capBy}`, "."),
    h("ul", {}, ...cement.stops.map(({ name, distance_mm: distance, stops }) =>
      h("li", { class: stops ? "near" : "" }, `${stops ? "▲ stop at the " : ""}${words(name)}: ${mm(distance)} from the tip`))),
    tamp && h("p", {}, `Tamp: ${tamp.eligible ? `${tamp.size ?? "may go"}` : "no"}, ${tamp.reason}`),
    h("ul", {}, ...[...cement.checks, ...cement.assumptions].map((line) => h("li", { class: "quiet" }, line))),
    h("p", { class: "quiet" }, "Guidance only, not an order."),
  );
}

function breachText({ breach_probability: { profile, total, worst_structure: worst } }: Trajectory): (string | HTMLElement)[] {
  const mostly = worst === null ? "" : `, mostly ${worst}`;
  return [`${words(profile)}: `, h("strong", {}, `${Math.round(total * 100)} %`), ` of placements enter something${mostly}`];
}

function bar(clearance: Clearance): HTMLElement {
  const { structure, kind, distance_mm: distance, required_mm: required, margin_mm: margin } = clearance;
  const length = h("span", { class: "length" });
  length.style.width = `${(Math.min(Math.max(distance, 0), FULL_MM) / FULL_MM) * 100}%`;
  length.style.background = lookOf(kind).colour;
  const limit = h("span", { class: "limit" });
  limit.style.left = `${(Math.min(required ?? 0, FULL_MM) / FULL_MM) * 100}%`;
  const state = (margin ?? 0) < 0 ? "broken" : "";
  return h(
    "tr", { title: `${mm(distance, 2)} away, ${mm(required, 2)} required` },
    h("th", { scope: "row" }, structure, clearance.derived ? " (derived)" : ""),
    h("td", { class: "track" }, length, limit),
    h("td", { class: `figure ${state}` }, mm(distance)),
  );
}
