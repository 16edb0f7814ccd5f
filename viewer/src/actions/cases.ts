/** Opening cases and closing them. */

import { formOf } from "../bundle";
import type { CaseDescription } from "../contract";
import { handedIn } from "../handed_in";
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
    await this.open("Handing in the case", () => service.handIn(formOf(document, files), sent), async () => {
      const drawn = await handedIn(document, files);
      const structures = [...drawn].map(([name, { kind }]) => ({ name, kind }));
      this.desk.model.set({ handedIn: drawn, shown: shownAtFirst(structures) });
    });
  }

  get canReopen(): boolean {
    return this.handInAgain !== null;
  }

  async reopen(): Promise<void> {
    if (this.handInAgain) await this.open("Opening the case again", this.handInAgain);
  }

  /** Open a case; `before` is done first, once, and not again after a restart. */
  private async open(
    busy: string, handIn: () => Promise<CaseDescription>, before: () => Promise<void> = async () => undefined,
  ): Promise<void> {
    const { model } = this.desk;
    this.planning.abandon();
    model.set({ busy, notice: null });
    await this.desk.attempt(async () => {
      await before();
      const opened = await handIn();
      this.handInAgain = handIn;
      const kept = withoutCase(model.state);
      model.set({
        ...kept, link: kept.link === "lost case" || kept.link === "offline" ? "online" : kept.link,
        opened, shown: shownAtFirst(allStructures(opened)), target: likelyTarget(opened),
        handedIn: model.state.handedIn,
        busy: "Fetching the meshes",
      });
      await this.fetchMeshes(opened);
      model.set({ cases: await service.cases() });
    });
    model.set({ busy: null, handedIn: new Map() });
  }

  private async fetchMeshes(opened: CaseDescription): Promise<void> {
    const { model } = this.desk;
    const waiting = allStructures(opened).map(({ name }) => name);
    const fetched = new Map<string, Mesh>();
    const draw = (): void => {
      if (model.state.opened === opened) model.set({ meshes: new Map(fetched) });
    };
    const fetchNext = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const mesh = await this.fetchMesh(opened, name);
        if (mesh) fetched.set(name, mesh);
        // What is seen as it was handed in changes once, not piece by piece.
        if (model.state.handedIn.size === 0) draw();
      }
    };
    await Promise.all(Array.from({ length: MESHES_AT_ONCE }, fetchNext));
    draw();
  }

  private async fetchMesh(opened: CaseDescription, name: string): Promise<Mesh | null> {
    const { model } = this.desk;
    try {
      return parsePly(await service.mesh(opened.case_id, name));
    } catch (error) {
      if (error instanceof OfflineError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      if (model.state.opened === opened) model.set({ undrawn: new Map(model.state.undrawn).set(name, why) });
      return null;
    }
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
