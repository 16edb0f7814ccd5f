/** Looking at what was planned: which path, how deep, and from where. */

import { otherAngles } from "../carm";
import type { Angles, Trajectory } from "../contract";
import { drawnOf, patientPosition, selected, type State } from "../model";
import * as service from "../service";
import type { Desk } from "./desk";

export class Looking {
  private profileAbort = new AbortController();

  constructor(private readonly desk: Desk) {
    desk.model.watch(
      (state) => [selected(state), state.opened?.case_id],
      (state) => void this.profile(state),
    );
  }

  private get state(): State {
    return this.desk.model.state;
  }

  /** Look at one trajectory: from its tightest place, down its barrel. */
  select(rank: number | null): void {
    this.desk.model.set({ rank });
    const trajectory = selected(this.state);
    if (trajectory) this.desk.model.set({ ...this.outset(trajectory) });
  }

  private outset(trajectory: Trajectory): Pick<State, "depthMm" | "angles"> {
    const tightest = trajectory.clearances.find((c) => c.structure === trajectory.limiting_structure);
    const view = trajectory.views.find((v) => v.role === "bulls_eye");
    return {
      depthMm: tightest?.at_depth_mm ?? trajectory.length_mm,
      angles: view?.console ?? this.state.angles,
    };
  }

  compare(rank: number | null): void {
    this.desk.model.set({ compared: rank === this.state.compared ? null : rank });
  }

  /** Compare the next path of the plan with the selected one; after the last, none. */
  compareNext(): void {
    const { plan, rank, compared } = this.state;
    const ranks = (plan?.trajectories ?? []).map((one) => one.rank).filter((one) => one !== rank);
    const next = ranks[compared === null ? 0 : ranks.indexOf(compared) + 1];
    this.desk.model.set({ compared: next ?? null });
  }

  scroll(depthMm: number): void {
    const most = selected(this.state)?.length_mm ?? 0;
    this.desk.model.set({ depthMm: Math.min(Math.max(depthMm, 0), most) });
  }

  turn(angles: Angles): void {
    this.desk.model.set({ angles });
  }

  /** Turn the C-arm to a view of the selected trajectory. */
  turnTo(role: string): void {
    const view = selected(this.state)?.views.find((one) => one.role === role);
    if (view) this.turn(view.console);
  }

  /** Fetch the simulated view at the console's angles; null where there is no needle to show. */
  async fluoro(signal: AbortSignal): Promise<Blob | null> {
    const { opened, planId, rank, angles, drawn } = this.state;
    const dicom = otherAngles(angles, patientPosition(this.state));
    if (opened && rank === 0 && drawn) {
      return service.drawnFluoro(opened.case_id, drawnOf(this.state, drawn), dicom, signal);
    }
    return planId && rank ? service.fluoro(planId, rank, dicom, signal) : null;
  }

  private async profile(state: State): Promise<void> {
    this.profileAbort.abort();
    const trajectory = selected(state);
    if (state.profile) this.desk.model.set({ profile: null });
    if (!trajectory || !state.opened) return;
    const abort = new AbortController();
    this.profileAbort = abort;
    const caseId = state.opened.case_id;
    await this.desk.attempt(async () => {
      const profile = await service.profile(caseId, trajectory.path, trajectory.needle, abort.signal);
      if (!abort.signal.aborted) this.desk.model.set({ profile });
    });
  }
}
