/** What a reader can do, from a click to what the service says to it. */

import { formOf } from "./bundle";
import { otherAngles } from "./carm";
import type { Angles, CaseDescription, PlanRequest, Target, Trajectory, Vec3 } from "./contract";
import { LiveLink } from "./live";
import {
  allStructures, APPROACHES, editingNeedle, firstSketch, likelyTarget, nothing, patientPosition, problemLines, selected,
  shownAtFirst, SIDES, type Mode, type Model, type Sketch, type State,
} from "./model";
import { straight, vector } from "./path";
import { parsePly, type Mesh } from "./scene/ply";
import * as service from "./service";
import { OfflineError, ProblemError } from "./service";

/** A dragged target is met within this, mm. */
const TOLERANCE_MM = 2;

/** How closely a preview proves its margins, mm: coarser than a plan, and sooner there. */
const PREVIEW_TOLERANCE_MM = 1;

const pointAt = (position: Vec3): Target => ({
  type: "point", position_mm: position, tolerance_mm: TOLERANCE_MM,
});

const POLL_MS = 400;
const WATCH_MS = 5000;
const MESHES_AT_ONCE = 4;

export class Actions {
  /** How the open case was handed in, to do it again after a restart. */
  private handInAgain: (() => Promise<CaseDescription>) | null = null;
  private profileAbort = new AbortController();
  private planAbort = new AbortController();
  /** What follows the dragged target; null while none is dragged. */
  live: LiveLink | null = null;

  constructor(private readonly model: Model) {
    model.watch((state) => [selected(state), state.opened?.case_id], (state) => void this.profile(state));
  }

  /** Read the catalogues and what the address names, then keep an eye on the service. */
  async start(): Promise<void> {
    await this.catalogues();
    await this.follow(new URLSearchParams(location.hash.slice(1)));
    setInterval(() => void this.watchService(), WATCH_MS);
  }

  private async catalogues(): Promise<void> {
    await this.attempt(async () => {
      const [needles, arms, samples, cases] = await Promise.all([
        service.needles(), service.cArms(), service.samples(), service.cases(),
      ]);
      this.model.set({
        link: "online", needles: needles.needles, needlesWanted: new Set(needles.default),
        cArms: arms.c_arms, cArm: arms.default, samples, cases,
      });
    });
  }

  /** Restore what a saved address names. */
  private async follow(address: URLSearchParams): Promise<void> {
    const [caseId, planId] = [address.get("case"), address.get("plan")];
    if (!caseId) return;
    await this.openStored(caseId);
    if (!planId || !this.model.state.opened) return;
    const said = address.get("target");
    const target = said ? (JSON.parse(said) as Target) : null;
    if (target) this.aim(target);
    await this.attempt(async () => this.await(planId, target, Number(address.get("rank") ?? 1)));
  }

  /** Show the service a key from now on. */
  async unlock(key: string): Promise<void> {
    service.useKey(key);
    await this.attempt(() => this.recheck());
    if (this.model.state.opened) return;
    await this.catalogues();
    await this.follow(new URLSearchParams(location.hash.slice(1)));
  }

  private async watchService(): Promise<void> {
    const { link, needles } = this.model.state;
    if (link === "locked") return;
    try {
      await service.isReady();
      if (needles.length === 0) await this.catalogues();
      else if (link === "offline") await this.recheck();
    } catch (error) {
      if (error instanceof OfflineError) this.model.set({ link: "offline" });
      else if (!(error instanceof ProblemError)) throw error;
    }
  }

  /** The service answers again: does it still have the case, and let us see it? */
  private async recheck(): Promise<void> {
    const { opened } = this.model.state;
    try {
      if (opened) await service.readCase(opened.case_id);
      this.model.set({ link: "online" });
    } catch (error) {
      const status = error instanceof ProblemError ? error.problem.status : 0;
      if (status !== 404 && status !== 401) throw error;
      this.model.set({ link: status === 404 ? "lost case" : "locked" });
    }
  }

  /** Do something, and tell the reader if it does not work out. */
  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      if (error instanceof OfflineError) this.model.set({ link: "offline" });
      else if (error instanceof ProblemError && error.problem.status === 401) {
        this.model.set({ link: "locked" });
      } else if (error instanceof ProblemError) this.refuse(error);
      else if (error instanceof Error) this.tell("That did not work", [error.message]);
      else throw error;
    }
  }

  private refuse({ problem }: ProblemError): void {
    this.tell(problem.title, problemLines(problem));
  }

  private tell(title: string, lines: readonly string[]): void {
    this.model.set({ notice: { tone: "error", title, lines } });
  }

  dismiss(): void {
    this.model.set({ notice: null });
  }

  async openSample(name: string): Promise<void> {
    await this.open(`Opening ${name}`, () => service.openSample(name));
  }

  async openStored(caseId: string): Promise<void> {
    await this.open("Opening the case", () => service.readCase(caseId));
    this.handInAgain = null;
  }

  async openBundle(document: string, files: ReadonlyMap<string, Blob>): Promise<void> {
    await this.open("Handing in the case: its meshes are checked and read", () =>
      service.handIn(formOf(document, files)),
    );
  }

  get canReopen(): boolean {
    return this.handInAgain !== null;
  }

  async reopen(): Promise<void> {
    if (this.handInAgain) await this.open("Opening the case again", this.handInAgain);
  }

  private async open(busy: string, handIn: () => Promise<CaseDescription>): Promise<void> {
    this.planAbort.abort();
    this.model.set({ busy, notice: null });
    await this.attempt(async () => {
      const opened = await handIn();
      this.handInAgain = handIn;
      const { link, samples, needles, cArms, cArm, needlesWanted } = this.model.state;
      this.model.set({
        ...nothing, samples, needles, cArms, cArm, needlesWanted,
        link: link === "lost case" || link === "offline" ? "online" : link,
        opened, shown: shownAtFirst(opened), target: likelyTarget(opened),
        busy: "Fetching the meshes",
      });
      this.remember();
      await this.fetchMeshes(opened);
      this.model.set({ cases: await service.cases() });
    });
    this.model.set({ busy: null });
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
    let mesh: Mesh;
    try {
      mesh = parsePly(await service.mesh(caseId, name));
    } catch (error) {
      if (error instanceof OfflineError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      this.model.set({ undrawn: new Map(this.model.state.undrawn).set(name, why) });
      return;
    }
    if (this.model.state.opened?.case_id !== caseId) return;
    this.model.set({ meshes: new Map(this.model.state.meshes).set(name, mesh) });
  }

  async deleteCase(): Promise<void> {
    const { opened } = this.model.state;
    if (!opened) return;
    await this.attempt(async () => {
      await service.deleteCase(opened.case_id);
      this.closeCase();
    });
  }

  closeCase(): void {
    this.planAbort.abort();
    const { link, samples, needles, cArms, cArm, needlesWanted } = this.model.state;
    this.model.set({
      ...nothing, link: link === "lost case" ? "online" : link, samples, needles, cArms, cArm,
      needlesWanted,
    });
    this.remember();
    void this.attempt(async () => this.model.set({ cases: await service.cases() }));
  }

  show(name: string, change: { visible?: boolean; opacity?: number }): void {
    const { shown } = this.model.state;
    const before = shown.get(name);
    if (before) this.model.set({ shown: new Map(shown).set(name, { ...before, ...change }) });
  }

  aim(target: Target): void {
    this.model.set({ target });
  }

  /** Ask for a plan and wait for it. */
  async plan(): Promise<void> {
    const { opened, target, needlesWanted, cArm } = this.model.state;
    if (!opened || !target) return;
    this.planAbort.abort();
    this.model.set({ planningSince: Date.now(), notice: null });
    await this.attempt(async () => {
      const planId = await service.askForPlan(opened.case_id, {
        ...this.wanted(), target, needles: [...needlesWanted], c_arm: cArm,
      });
      await this.await(planId, target, 1);
    });
    this.model.set({ planningSince: null });
  }

  private wanted(): Pick<PlanRequest, "approaches" | "sides"> {
    const { approaches, sides } = this.model.state;
    return {
      approaches: APPROACHES.filter((approach) => approaches.has(approach)),
      sides: SIDES.filter((side) => sides.has(side)),
    };
  }

  /** What follows a dragged target: the selected way alone, which is answered soonest, or all. */
  private followed(): Pick<PlanRequest, "approaches" | "sides"> {
    const trajectory = selected(this.model.state);
    return trajectory?.approach && trajectory.side
      ? { approaches: [trajectory.approach], sides: [trajectory.side] }
      : this.wanted();
  }

  private async await(planId: string, planned: Target | null, rank: number): Promise<void> {
    const abort = new AbortController();
    this.planAbort = abort;
    this.model.set({ pending: planId, progress: null });
    service.onProgress(planId, (progress) => this.model.set({ progress }), abort.signal);
    try {
      await this.arrival(planId, planned, rank, abort.signal);
    } finally {
      abort.abort();
      this.model.set({ pending: null, progress: null });
    }
  }

  private async arrival(
    planId: string, planned: Target | null, rank: number, signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      const answer = await service.readPlan(planId, signal);
      if (signal.aborted) return;
      if (answer.schema === "trocar/plan/1") {
        this.model.set({ plan: answer, planId, planned, drawn: null, mode: "look", compared: null });
        this.select(answer.trajectories.some((t) => t.rank === rank) ? rank : null);
        return;
      }
      if (answer.problem) throw new ProblemError(answer.problem);
      if (answer.state === "cancelled") return;
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  /** Give up the plan that is under way. */
  async cancel(): Promise<void> {
    const { pending } = this.model.state;
    if (!pending) return;
    await this.attempt(async () => {
      await service.cancelPlan(pending);
      this.planAbort.abort();
    });
  }

  /** Look at one trajectory: from its tightest place, down its barrel. */
  select(rank: number | null): void {
    this.model.set({ rank });
    const trajectory = selected(this.model.state);
    if (trajectory) this.model.set({ ...this.outset(trajectory) });
    this.remember();
  }

  private outset(trajectory: Trajectory): Pick<State, "depthMm" | "angles"> {
    const tightest = trajectory.clearances.find((c) => c.structure === trajectory.limiting_structure);
    const view = trajectory.views.find((v) => v.role === "bulls_eye");
    return {
      depthMm: tightest?.at_depth_mm ?? trajectory.length_mm,
      angles: view?.console ?? this.model.state.angles,
    };
  }

  compare(rank: number | null): void {
    this.model.set({ compared: rank === this.model.state.compared ? null : rank });
  }

  scroll(depthMm: number): void {
    const most = selected(this.model.state)?.length_mm ?? 0;
    this.model.set({ depthMm: Math.min(Math.max(depthMm, 0), most) });
  }

  turn(angles: Angles): void {
    this.model.set({ angles });
  }

  /** Turn the C-arm to a view of the selected trajectory. */
  turnTo(role: string): void {
    const view = selected(this.model.state)?.views.find((one) => one.role === role);
    if (view) this.turn(view.console);
  }

  /** Fetch the simulated view at the console's angles; null where there is no planned needle. */
  async fluoro(signal: AbortSignal): Promise<Blob | null> {
    const { planId, rank, angles } = this.model.state;
    if (!planId || !rank) return null;
    const dicom = otherAngles(angles, patientPosition(this.model.state));
    return service.fluoro(planId, rank, dicom.primary_deg, dicom.secondary_deg, signal);
  }

  private async profile(state: State): Promise<void> {
    this.profileAbort.abort();
    const trajectory = selected(state);
    if (state.profile) this.model.set({ profile: null });
    if (!trajectory || !state.opened) return;
    const abort = new AbortController();
    this.profileAbort = abort;
    const caseId = state.opened.case_id;
    await this.attempt(async () => {
      const profile = await service.profile(caseId, trajectory.path, trajectory.needle, abort.signal);
      if (!abort.signal.aborted) this.model.set({ profile });
    });
  }

  /** Choose what a drag in the scene does. */
  edit(mode: Mode): void {
    this.live?.close();
    this.live = null;
    const start = firstSketch(this.model.state);
    if (mode === "look" || !start) {
      this.model.set({ mode: "look", aim: null, live: null, sketch: null, past: [] });
      return;
    }
    this.model.set({ mode, live: null, past: [], aim: null, sketch: null });
    if (mode === "target") this.dragTarget(start.tip, true);
    else this.dragPath(start, true);
  }

  /** Ask what leads to a new place of the target. */
  dragTarget(aim: Vec3, done: boolean): void {
    const { past } = this.model.state;
    this.model.set({ aim, past: done ? [...past, { aim }] : past });
    this.askLive(aim);
  }

  private askLive(aim: Vec3): void {
    const { opened } = this.model.state;
    const needle = editingNeedle(this.model.state);
    if (!opened || !needle) return;
    this.live ??= new LiveLink(
      service.liveAddress(opened.case_id),
      (live) => this.model.set({ live }),
      (problem) => this.tell(problem.title, problemLines(problem)),
      () => this.tell("The preview has ended", ["The connection was lost; move the target to start anew."]),
    );
    this.live.ask({
      ...this.followed(), target: pointAt(aim), needles: [needle.name],
      certificate_tolerance_mm: PREVIEW_TOLERANCE_MM,
    });
  }

  /** Plan for the dragged target in full. */
  async planHere(): Promise<void> {
    const { aim } = this.model.state;
    if (!aim) return;
    this.aim(pointAt(aim));
    this.edit("look");
    await this.plan();
  }

  /** Move an end of the drawn path; it is measured once it is let go. */
  dragPath(change: Partial<Sketch>, done: boolean): void {
    const { sketch: before, past } = this.model.state;
    const sketch = { ...before, ...change } as Sketch;
    this.model.set({ sketch, past: done ? [...past, { sketch }] : past });
    if (done) void this.measure(sketch);
  }

  private async measure(sketch: Sketch): Promise<void> {
    const { opened, plan, planned, target } = this.model.state;
    const needle = editingNeedle(this.model.state);
    if (!opened || !needle) return;
    this.model.set({ measuring: true });
    await this.attempt(async () => {
      const path = straight(vector(sketch.entry), vector(sketch.tip));
      const drawn = { ...(await service.evaluate(opened.case_id, path, needle.name, plan ? planned : target)), rank: 0 };
      if (this.model.state.sketch !== sketch) return;
      this.model.set({ drawn });
      this.select(0);
    });
    this.model.set({ measuring: false });
  }

  /** Go back to the place before. */
  undo(): void {
    const [before] = this.model.state.past.slice(-2);
    const past = this.model.state.past.slice(0, -2);
    if (!before || this.model.state.past.length < 2) return;
    this.model.set({ past });
    if ("aim" in before) this.dragTarget(before.aim, true);
    else this.dragPath(before.sketch, true);
  }

  async save(path: string, name: string): Promise<void> {
    await this.attempt(async () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await service.download(path));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  /** Keep the address in step, so that reloading it, or sending it on, shows the same. */
  private remember(): void {
    const { opened, planId, plan, planned, rank } = this.model.state;
    const parts = new URLSearchParams();
    if (opened) parts.set("case", opened.case_id);
    if (plan && planId) parts.set("plan", planId);
    if (plan && planned) parts.set("target", JSON.stringify(planned));
    if (plan && rank) parts.set("rank", String(rank));
    history.replaceState(null, "", parts.size ? `#${parts.toString()}` : location.pathname);
  }
}
