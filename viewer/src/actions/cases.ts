/** Opening cases and closing them. */

import { formOf } from "../bundle";
import type { CaseDescription } from "../contract";
import {
  allStructures, likelyTarget, shownAtFirst, withoutCase,
} from "../model";
import { parsePly, type Mesh } from "../scene/ply";
import * as service from "../service";
import { OfflineError } from "../service";
import type { Desk } from "./desk";
import type { Planning } from "./planning";

const MESHES_AT_ONCE = 4;

export class Cases {
  /** How the open case was handed in, to do it again after a restart. */
  private handInAgain: (() => Promise<CaseDescription>) | null = null;

  constructor(private readonly desk: Desk, private readonly planning: Planning) {}

  async openSample(name: string): Promise<void> {
    await this.open(`Opening ${name}`, () => service.openSample(name));
  }

  async openStored(caseId: string): Promise<void> {
    await this.open("Opening the case", () => service.readCase(caseId));
    this.handInAgain = null;
  }

  async openBundle(document: string, files: ReadonlyMap<string, Blob>): Promise<void> {
    const sent = (share: number): void => this.desk.model.set({
      busy: share < 1 ? `Handing in the case: ${Math.round(100 * share)} % sent` : "Its meshes are checked and read",
    });
    await this.open("Handing in the case", () => service.handIn(formOf(document, files), sent));
  }

  get canReopen(): boolean {
    return this.handInAgain !== null;
  }

  async reopen(): Promise<void> {
    if (this.handInAgain) await this.open("Opening the case again", this.handInAgain);
  }

  private async open(busy: string, handIn: () => Promise<CaseDescription>): Promise<void> {
    const { model } = this.desk;
    this.planning.abandon();
    model.set({ busy, notice: null });
    await this.desk.attempt(async () => {
      const opened = await handIn();
      this.handInAgain = handIn;
      const kept = withoutCase(model.state);
      model.set({
        ...kept, link: kept.link === "lost case" || kept.link === "offline" ? "online" : kept.link,
        opened, shown: shownAtFirst(opened), target: likelyTarget(opened),
        busy: "Fetching the meshes",
      });
      await this.fetchMeshes(opened);
      model.set({ cases: await service.cases() });
    });
    model.set({ busy: null });
  }

  private async fetchMeshes(opened: CaseDescription): Promise<void> {
    const waiting = allStructures(opened).map(({ name }) => name);
    const fetchNext = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        await this.fetchMesh(opened.case_id, name);
      }
    };
    await Promise.all(Array.from({ length: MESHES_AT_ONCE }, fetchNext));
  }

  private async fetchMesh(caseId: string, name: string): Promise<void> {
    const { model } = this.desk;
    let mesh: Mesh;
    try {
      mesh = parsePly(await service.mesh(caseId, name));
    } catch (error) {
      if (error instanceof OfflineError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      model.set({ undrawn: new Map(model.state.undrawn).set(name, why) });
      return;
    }
    if (model.state.opened?.case_id !== caseId) return;
    model.set({ meshes: new Map(model.state.meshes).set(name, mesh) });
  }

  async delete(): Promise<void> {
    const { opened } = this.desk.model.state;
    if (!opened) return;
    await this.desk.attempt(async () => {
      await service.deleteCase(opened.case_id);
      this.close();
    });
  }

  close(): void {
    const { model } = this.desk;
    this.planning.abandon();
    const kept = withoutCase(model.state);
    model.set({ ...kept, link: kept.link === "lost case" ? "online" : kept.link });
    void this.desk.attempt(async () => model.set({ cases: await service.cases() }));
  }

  show(name: string, change: { visible?: boolean; opacity?: number }): void {
    const { shown } = this.desk.model.state;
    const before = shown.get(name);
    if (before) this.desk.model.set({ shown: new Map(shown).set(name, { ...before, ...change }) });
  }
}
