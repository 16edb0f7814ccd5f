/** The page's address: reloading it, or sending it on, shows the same. */

import type { PlanOptions, Target } from "../contract";
import { selected, type Model, type Sketch, type State } from "../model";

/** What an address names. */
export interface Address {
  readonly caseId: string | null;
  readonly planId: string | null;
  /** Which target of a session. */
  readonly at: number;
  readonly target: Target | null;
  /** All targets of a session. */
  readonly targets: readonly Target[];
  /** What was asked of every way to them. */
  readonly asked: PlanOptions | null;
  readonly rank: number;
  readonly compared: number | null;
  readonly drawn: Sketch | null;
  readonly needle: string | null;
  readonly locked: boolean;
}

export function readAddress(hash: string): Address {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const json = <T>(name: string): T | null => {
    const said = parts.get(name);
    try {
      return said ? (JSON.parse(said) as T) : null;
    } catch {
      return null; // an address that was cut short still opens its case
    }
  };
  const number = (name: string): number | null => (parts.has(name) ? Number(parts.get(name)) : null);
  return {
    caseId: parts.get("case"), planId: parts.get("plan"), at: number("at") ?? 0,
    target: json<Target>("target"), targets: json<readonly Target[]>("targets") ?? [],
    asked: json<PlanOptions>("asked"),
    rank: number("rank") ?? 1, compared: number("compared"), drawn: json<Sketch>("drawn"),
    needle: parts.get("needle"), locked: parts.has("locked"),
  };
}

/** Keep the address in step with what is shown, from the first case that is. */
export function keepAddress(model: Model): void {
  let begun = false;
  model.watch(
    (s) => [s.opened, s.plan, s.planId, s.sessionId, s.sessionAt, s.planned, s.asked, s.rank, s.compared, s.drawn, s.locked],
    (state) => {
      begun ||= state.opened !== null;
      if (!begun) return;
      const written = writtenAddress(state);
      history.replaceState(null, "", written ? `#${written}` : location.pathname);
    },
  );
}

function writtenAddress(state: State): string {
  const { opened, session, sessionId, sessionAt, plan, planned, rank, compared, locked } = state;
  const planId = session ? sessionId : state.planId;
  const parts = new URLSearchParams();
  if (!opened) return "";
  parts.set("case", opened.case_id);
  if (plan && planId) parts.set("plan", planId);
  if (session) parts.set("at", String(sessionAt));
  if (session) parts.set("targets", JSON.stringify(state.sessionTargets));
  if (plan && planned) parts.set("target", JSON.stringify(planned));
  if (plan && state.asked) parts.set("asked", JSON.stringify(state.asked));
  if (selected(state) && rank !== null) parts.set("rank", String(rank));
  if (compared !== null) parts.set("compared", String(compared));
  if (state.drawn) {
    const { entry_skin_mm: entry, tip_mm: tip, needle } = state.drawn;
    parts.set("drawn", JSON.stringify({ entry, tip }));
    parts.set("needle", needle);
  }
  if (locked) parts.set("locked", "");
  return parts.toString();
}
