/** What limits the needle, over the scene: to be seen before anything else. */

import type { Clearance, Trajectory } from "../contract";
import { fill, h, mm, words } from "../dom";
import { lookOf, needleColour } from "../looks";
import { limiting, ranked, selected, standing, STANDINGS, type Model } from "../model";

const SHOWN = 5;
const FULL_MM = 10;

export function verdict(model: Model): HTMLElement {
  const root = h("aside", { class: "verdict", "aria-live": "polite", "aria-label": "What limits the needle" });
  model.watch(
    (state) => [selected(state), ranked(state, state.compared), state.plan, state.mode],
    (state) => {
      const trajectory = selected(state);
      const other = ranked(state, state.compared);
      root.hidden = state.mode === "target" || (trajectory === null && state.plan?.outcome !== "no_safe_path");
      if (trajectory) fill(root, card(trajectory), other && other !== trajectory && card(other));
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
      trajectory.rank === 0 ? "drawn path" : `no. ${trajectory.rank}`, ": ",
      tightest[0] ? h("strong", {}, tightest[0].structure) : "nothing limits it",
      tightest[0] && ` ${mm(tightest[0].distance_mm)} away, ${mm(tightest[0].required_mm)} required, ${mm(tightest[0].at_depth_mm, 0)} deep`),
    h("p", { class: "quiet" }, STANDINGS[how].text, trajectory.reaches_target ? "" : "; does not reach the target"),
    h("p", { class: "quiet", title: "simulated placements that nobody corrects on the way; they compare paths and predict nothing" },
      breachText(trajectory)),
    h("table", { class: "bars" }, ...tightest.slice(0, SHOWN).map(bar)),
    trajectory.cautions.length > 0 && h(
      "details", {}, h("summary", {}, `▲ ${trajectory.cautions.length} caution${trajectory.cautions.length > 1 ? "s" : ""}`),
      h("ul", {}, ...trajectory.cautions.map((line) => h("li", {}, line))),
    ),
  );
  root.style.borderLeftColor = needleColour(trajectory.rank);
  return root;
}

function breachText({ breach_probability: { profile, total, worst_structure: worst } }: Trajectory): string {
  const mostly = worst === null ? "" : `, mostly ${worst}`;
  return `${words(profile)}: ${Math.round(total * 100)} % of placements enter something${mostly}`;
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
