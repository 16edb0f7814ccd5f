/** Whether the service answers, lets us in, and still has the case that is open. */

import * as service from "../service";
import { OfflineError, ProblemError } from "../service";
import { readAddress } from "./address";
import type { Cases } from "./cases";
import type { Desk } from "./desk";
import type { Editing } from "./editing";
import type { Planning } from "./planning";

const WATCH_MS = 5000;

export class Connection {
  constructor(
    private readonly desk: Desk, private readonly cases: Cases,
    private readonly planning: Planning, private readonly editing: Editing,
  ) {}

  /** Read the catalogues and what the address names, then keep an eye on the service. */
  async start(): Promise<void> {
    await this.catalogues();
    await this.restore(location.hash);
    setInterval(() => void this.watch(), WATCH_MS);
  }

  private async catalogues(): Promise<void> {
    await this.desk.attempt(async () => {
      const [needles, arms, samples, cases, defaultPolicy] = await Promise.all([
        service.needles(), service.cArms(), service.samples(), service.cases(), service.policy(),
      ]);
      this.desk.model.set({
        link: "online", needles: needles.needles, needlesWanted: new Set(needles.default),
        cArms: arms.c_arms, cArm: arms.default, samples, cases, defaultPolicy,
      });
    });
  }

  /** Show again what an address names: case, plan, the path that was drawn, and the lock. */
  private async restore(hash: string): Promise<void> {
    const address = readAddress(hash);
    const { model } = this.desk;
    if (!address.caseId) return;
    await this.cases.openStored(address.caseId);
    if (!model.state.opened) return;
    if (address.target) this.planning.aim(address.target);
    await this.planning.restore(address);
    if (address.drawn) await this.editing.restore(address.drawn, address.needle, address.rank);
    model.set({ locked: address.locked, compared: address.compared });
  }

  /** Show the service a key from now on. */
  async unlock(key: string): Promise<void> {
    service.useKey(key);
    await this.desk.attempt(() => this.recheck());
    if (this.desk.model.state.opened) return;
    await this.catalogues();
    await this.restore(location.hash);
  }

  private async watch(): Promise<void> {
    const { link, needles } = this.desk.model.state;
    if (link === "locked") return;
    try {
      await service.isReady();
      if (needles.length === 0) await this.catalogues();
      else if (link === "offline") await this.recheck();
    } catch (error) {
      if (error instanceof OfflineError) this.desk.model.set({ link: "offline" });
      else if (!(error instanceof ProblemError)) throw error;
    }
  }

  /** The service answers again: does it still have the case, and let us see it? */
  private async recheck(): Promise<void> {
    const { model } = this.desk;
    try {
      if (model.state.opened) await service.readCase(model.state.opened.case_id);
      model.set({ link: "online" });
    } catch (error) {
      const status = error instanceof ProblemError ? error.problem.status : 0;
      if (status !== 404 && status !== 401) throw error;
      model.set({ link: status === 404 ? "lost case" : "locked" });
    }
  }
}
