/** What was planned: the ranked table, and for every way that is closed, why. */

import type { Actions } from "../actions";
import type { Certificate, Opening, Plan, Session, Trajectory } from "../contract";
import { degrees, fill, h, mm, number, words } from "../dom";
import { needleColour } from "../looks";
import { standing, STANDINGS, type Model } from "../model";

export function results(model: Model, actions: Actions): HTMLElement {
  const root = h("section", { class: "results", "aria-label": "Plan" });
  model.watch(
    (state) => [state.plan, state.drawn, state.session, state.sessionAt, state.planningSince === null],
    ({ plan, drawn, session, sessionAt, planningSince }) => {
      if (!plan && !drawn) {
        fill(root, h("p", { class: "empty" }, planningSince === null
          ? "No plan yet: choose a target and press Plan."
          : "The plan appears here when it is made."));
        return;
      }
      fill(
        root,
        session && sessionOf(session, sessionAt, actions),
        plan && outcome(plan),
        table([...(drawn ? [drawn] : []), ...(plan?.trajectories ?? [])], actions),
        plan && plan.warnings.length > 0 && h("ul", { class: "warnings" }, ...plan.warnings.map((line) => h("li", {}, `▲ ${line}`))),
        plan && whyNot(plan),
      );
    },
  );
  model.watch((state) => [state.plan], () => (root.scrollTop = 0));
  model.watch(
    (state) => [state.plan, state.drawn, state.rank, state.compared, state.session, state.sessionAt, state.planningSince === null],
    ({ rank, compared }) => {
      for (const line of root.querySelectorAll<HTMLElement>("tr[data-rank]")) {
        const own = Number(line.dataset["rank"]);
        line.setAttribute("aria-selected", String(own === rank));
        line.querySelector("button.compare")?.setAttribute("aria-pressed", String(own === compared));
      }
    },
  );
  return root;
}

const SESSION_OUTCOMES: Readonly<Record<string, string>> = {
  all: "a needle for every target", some: "not for every target", none: "for no target",
};

/** The targets of a session, what was chosen for each, and what comes near to what. */
function sessionOf(session: Session, at: number, actions: Actions): HTMLElement {
  const labelled = (i: number): string => session.targets[i]?.label ?? String(i);
  const near = session.spacing.neighbours.map(({ first, second, distance_mm: distance }) =>
    `${distance < session.spacing.gap_mm ? "▲ " : ""}${mm(distance)} between ${words(first.part)} to ${labelled(first.target)} and ${words(second.part)} to ${labelled(second.target)}`);
  return h(
    "section", { class: "session", "aria-label": "Session" },
    h("p", { class: `outcome ${session.outcome === "all" ? "found" : "none"}` },
      h("strong", {}, `Session: ${SESSION_OUTCOMES[session.outcome] ?? words(session.outcome)}`)),
    h("div", { class: "targets", role: "group", "aria-label": "Targets of the session" },
      ...session.targets.map(({ label, chosen_ranks: ranks, reason, cement }, i) => h(
        "button", { type: "button", "aria-pressed": String(i === at), title: reason, onclick: () => actions.planning.lookAt(i) },
        label, h("small", {}, ranks.length > 0 ? ` no. ${ranks.join(" and ")}` : " ✕ none chosen", cement && `, cement ${number(cement.goal.aim_ml, 1)} ml`)))),
    h("details", {}, h("summary", {}, "Why these, in which order, and what comes near"),
      h("p", {}, session.explanation),
      session.order.length > 0 && h("p", {}, `Order: ${session.order.map(labelled).join(", then ")}`),
      h("ul", { class: "warnings" }, ...near.map((line) => h("li", {}, line)),
        ...session.warnings.map((line) => h("li", {}, `▲ ${line}`)))),
  );
}

function outcome(plan: Plan): HTMLElement {
  const tone = plan.outcome === "found" ? "found" : "none";
  return h("p", { class: `outcome ${tone}` }, h("strong", {}, words(plan.outcome)), " ", plan.explanation);
}

const COLUMNS: readonly (readonly [string, string])[] = [
  ["No.", "rank"],
  ["", "compare with the selected one"],
  ["Approach", "through which window of the bone, on which side of the patient"],
  ["Needle", "as in the catalogue"],
  ["Margin", "the smallest distance less what the policy requires"],
  ["Limited by", "the structure with the smallest margin"],
  ["Length", "skin to tip"],
  ["Bull’s-eye", "where the detector is about the patient, looking down the needle"],
  ["Tolerance", "shift, and tilt about the entry, for which every limit still holds, proved"],
  ["Breach", "share of simulated uncorrected placements that enter something"],
];

function table(trajectories: readonly Trajectory[], actions: Actions): HTMLElement | null {
  if (trajectories.length === 0) return null;
  return h(
    "table", { class: "ranked", role: "grid" },
    h("thead", {}, h("tr", {}, ...COLUMNS.map(([text, title]) => h("th", { scope: "col", title }, text)))),
    h("tbody", {}, ...trajectories.map((trajectory) => line(trajectory, actions))),
  );
}

function line(trajectory: Trajectory, actions: Actions): HTMLElement {
  const { rank, tolerance, breach_probability: breach } = trajectory;
  const how = standing(trajectory);
  const colour = h("span", { class: "swatch" });
  colour.style.background = needleColour(rank);
  const bullsEye = trajectory.views.find((view) => view.role === "bulls_eye");
  const cells = [
    h("span", {}, colour, rank === 0 ? "drawn" : String(rank)),
    h("button", {
      type: "button", class: "compare", "aria-pressed": "false", title: "compare with the selected one",
      "aria-label": `compare ${rank === 0 ? "the drawn path" : `no. ${rank}`}`,
      onclick: (event: Event) => {
        event.stopPropagation();
        actions.looking.compare(rank);
      },
    }, "⇄"),
    h("span", { class: "way" }, way(trajectory)),
    trajectory.needle,
    h("span", { class: `margin ${how}`, title: STANDINGS[how].text }, STANDINGS[how].sign, " ", mm(trajectory.margin_mm)),
    trajectory.limiting_structure ?? "nothing",
    mm(trajectory.length_mm, 0),
    bullsEye ? `${bullsEye.label}${bullsEye.reachable ? "" : " (out of reach)"}` : "–",
    tolerance ? `${mm(tolerance.entry_mm)}, ${degrees(tolerance.angle_deg)}` : "–",
    `${Math.round(breach.total * 100)} %`,
  ];
  return h(
    "tr",
    {
      "data-rank": rank, tabindex: 0, "aria-selected": "false",
      onclick: () => actions.looking.select(rank),
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === "Enter" && event.target === event.currentTarget) actions.looking.select(rank);
      },
    },
    ...cells.map((cell) => h("td", {}, cell)),
  );
}

function way({ approach, side, technique }: Trajectory): string {
  const named = approach === null ? "no approach" : `${words(approach)} ${side ?? ""}`;
  return `${named}, ${words(technique)}`;
}

function whyNot(plan: Plan): HTMLElement | null {
  const closed = plan.certificates.filter(({ status }) => status !== "found");
  if (closed.length === 0) return null;
  return h(
    "details", { class: "why-not", open: plan.trajectories.length === 0 },
    h("summary", {}, `Why not? ${closed.length} of ${plan.certificates.length} ways have no safe path, or the search stopped`),
    ...closed.map(closedWay),
  );
}

function closedWay(certificate: Certificate): HTMLElement {
  const { approach, side, needle, status, upper_bound_mm: bound, why_not: why } = certificate;
  return h(
    "article", {},
    h("h3", {}, `${words(approach)}, ${side}, ${needle}`),
    h("p", {}, h("span", { class: `margin ${status === "infeasible" ? "broken" : "near"}` },
      status === "infeasible" ? `✕ proved closed: no path has a margin above ${mm(bound, 2)}` : "▲ the search stopped: nothing is proved"),
      why && why.blocked_by.length > 0 && ` · in the way: ${why.blocked_by.join(", ")}`),
    why && why.openings.length > 0 && h("p", {}, "It would be safe ", why.openings.map(openingText).join("; "), "."),
    h("p", { class: "quiet" }, certificate.statement),
  );
}

function openingText(opening: Opening): string {
  const margin = `(margin ${mm(opening.margin_mm)})`;
  switch (opening.change) {
    case "thinner_needle":
    case "longer_needle": return `with ${opening.subject} ${margin}`;
    case "other_side": return `on the ${opening.subject} ${margin}`;
    case "other_approach": return `by the ${opening.subject} approach ${margin}`;
    case "lower_limit": return `with a limit of ${mm(opening.hard_mm, 2)} for ${words(opening.subject)}`;
    case "remove_structure": return `without ${opening.subject} ${margin}`;
    default: return `${words(opening.change)}: ${opening.subject} ${margin}`;
  }
}
