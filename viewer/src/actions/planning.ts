/** Asking for plans, of one target or of several together. */

import type { Plan, Rule, Session, Target } from "../contract";
import { choicesOf, optionsOf, sameTarget, type State } from "../model";
import * as service from "../service";
import { ProblemError } from "../service";
import type { Address } from "./address";
import type { Desk } from "./desk";
import type { Looking } from "./looking";

const POLL_MS = 400;

export class Planning {
  private abort = new AbortController();
  private mapAbort = new AbortController();

  constructor(private readonly desk: Desk, private readonly looking: Looking) {}

  private get state(): State {
    return this.desk.model.state;
  }

  aim(target: Target): void {
    if (!this.state.locked) this.desk.model.set({ target });
  }

  /** Plan for the target together with the others from now on, or no longer. */
  also(target: Target): void {
    const others = this.state.alsoTargets.filter((one) => !sameTarget(one, target));
    const known = others.length < this.state.alsoTargets.length;
    this.desk.model.set({ alsoTargets: known ? others : [...others, target] });
  }

  /** Change what is required of one kind of structure; null: as the service has it. */
  require(kind: string, rule: Rule | null): void {
    const { [kind]: _before, ...others } = this.state.policy;
    this.desk.model.set({ policy: rule ? { ...others, [kind]: rule } : others });
  }

  /** Ask for a plan and wait for it. */
  async plan(): Promise<void> {
    const { opened, target, alsoTargets, locked } = this.state;
    if (!opened || !target || locked) return;
    this.abort.abort();
    this.desk.model.set({ planningSince: Date.now(), notice: null });
    await this.desk.attempt(async () => {
      const others = alsoTargets.filter((one) => !sameTarget(one, target));
      const targets = [target, ...others];
      const options = optionsOf(this.state);
      const request = others.length > 0 ? { ...options, targets } : { ...options, target };
      const made = await this.made(await service.askForPlan(opened.case_id, request));
      if (made) this.desk.model.set({ asked: options });
      this.show(made, targets, 0, null);
    });
    this.desk.model.set({ planningSince: null });
  }

  /** Show the plan that an address names. */
  async restore({ planId, target, targets, asked, at, rank }: Address): Promise<void> {
    if (!planId) return;
    await this.desk.attempt(async () => {
      if (asked) this.desk.model.set({ ...choicesOf(asked), asked });
      this.desk.model.set({ alsoTargets: targets.slice(1) });
      this.show(await this.made(planId), targets.length > 0 || !target ? targets : [target], at, rank);
    });
  }

  private async made(planId: string): Promise<{ planId: string; answer: Plan | Session } | null> {
    const abort = new AbortController();
    this.abort = abort;
    this.desk.model.set({ pending: planId, progress: null });
    const heard = (progress: State["progress"]): void => this.desk.model.set({ progress });
    // Progress is told while it can be; the plan comes all the same.
    service.followProgress(planId, heard, abort.signal).catch(() => undefined);
    try {
      const answer = await arrival(planId, abort.signal);
      return answer && { planId, answer };
    } finally {
      abort.abort();
      this.desk.model.set({ pending: null, progress: null });
    }
  }

  private show(
    made: { planId: string; answer: Plan | Session } | null, targets: readonly Target[],
    at: number, rank: number | null,
  ): void {
    if (!made) return;
    const { planId, answer } = made;
    const anew = { drawn: null, mode: "look", compared: null, sketch: null, aim: null, live: null } as const;
    if (answer.schema === "trocar/plan/1") {
      this.desk.model.set({
        ...anew, plan: answer, planId, planned: targets[0] ?? null,
        session: null, sessionId: null, sessionAt: 0, sessionTargets: [],
      });
      this.looking.select(known(answer, rank ?? 1));
      return;
    }
    this.desk.model.set({ ...anew, session: answer, sessionId: planId, sessionTargets: targets });
    this.lookAt(at, rank);
  }

  /** Look at one target of a session: at what was chosen of its plan, or at another rank. */
  lookAt(at: number, rank: number | null = null): void {
    const { session, sessionTargets } = this.state;
    const one = session?.targets[at];
    if (!one) return;
    const planned = sessionTargets[at] ?? null;
    this.desk.model.set({ sessionAt: at, plan: one.plan, planId: null, planned, drawn: null, compared: null });
    this.looking.select(known(one.plan, rank) ?? one.chosen_ranks[0] ?? null);
    if (planned) void this.desk.attempt(() => this.ownPlan(planned, one.plan));
  }

  /** Views, sheet and proof are made of a plan of its own, which is the same one. */
  private async ownPlan(target: Target, shown: Plan): Promise<void> {
    const { opened, asked } = this.state;
    if (!opened || !asked) return;
    const planId = await service.askForPlan(opened.case_id, { ...asked, target });
    const answer = await arrival(planId, new AbortController().signal);
    if (!answer || this.state.plan !== shown) return;
    if (!("trajectories" in answer) || JSON.stringify(answer.trajectories) !== JSON.stringify(shown.trajectories)) {
      throw new Error("the plan that was made for this target alone is another one: there is no simulated view or sheet of it");
    }
    this.desk.model.set({ planId });
  }

  /** Give up the plan that is under way. */
  async cancel(): Promise<void> {
    const { pending } = this.state;
    if (!pending) return;
    await this.desk.attempt(async () => {
      await service.cancelPlan(pending);
      this.abort.abort();
    });
  }

  /** Wait for nothing any more; what was asked for is made all the same. */
  abandon(): void {
    this.abort.abort();
    this.mapAbort.abort();
  }

  /** Colour the skin by the best margin from each place, for what would be planned; or no longer. */
  async mapSkin(wanted: boolean): Promise<void> {
    const { opened, target } = this.state;
    this.mapAbort.abort();
    this.desk.model.set({ skin: null, mapping: false });
    if (!wanted || !opened || !target) return;
    const abort = new AbortController();
    this.mapAbort = abort;
    this.desk.model.set({ mapping: true });
    await this.desk.attempt(async () => {
      const request = { ...optionsOf(this.state), target };
      const skin = await service.skinMap(opened.case_id, request, abort.signal);
      if (!abort.signal.aborted) this.desk.model.set({ skin });
    });
    if (this.mapAbort === abort) this.desk.model.set({ mapping: false });
  }
}

function known({ trajectories }: Plan, rank: number | null): number | null {
  return trajectories.some((one) => one.rank === rank) ? rank : null;
}

/** Read a plan until it is there; null once it is cancelled, or nobody waits any more. */
async function arrival(planId: string, signal: AbortSignal): Promise<Plan | Session | null> {
  for (;;) {
    const answer = await service.readPlan(planId, signal);
    if (signal.aborted) return null;
    if (answer.schema !== "trocar/plan-state/1") return answer;
    if (answer.problem) throw new ProblemError(answer.problem);
    if (answer.state === "cancelled") return null;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}
