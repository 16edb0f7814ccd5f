/** Moving a target with paths that follow, and drawing a path of one's own. */

import type { PlanOptions, Target, Vec3 } from "../contract";
import { LiveLink } from "../live";
import {
  drawnOf, editingNeedle, firstSketch, optionsOf, selected, type Mode, type Sketch, type State,
} from "../model";
import { straight, vector } from "../path";
import * as service from "../service";
import type { Desk } from "./desk";
import type { Looking } from "./looking";
import type { Planning } from "./planning";

/** A dragged target is met within this, mm. */
const TOLERANCE_MM = 2;

/** How closely a preview proves its margins, mm: coarser than a plan, and sooner there. */
const PREVIEW_TOLERANCE_MM = 1;

const pointAt = (position: Vec3): Target => ({
  type: "point", position_mm: position, tolerance_mm: TOLERANCE_MM,
});

export class Editing {
  /** What follows the dragged target; null while none is dragged. */
  live: LiveLink | null = null;

  constructor(
    private readonly desk: Desk, private readonly planning: Planning,
    private readonly looking: Looking,
  ) {}

  private get state(): State {
    return this.desk.model.state;
  }

  /** Let nothing be moved, drawn or planned anew, or let it be again. */
  lock(locked: boolean): void {
    if (locked) this.edit("look");
    this.desk.model.set({ locked });
  }

  /** Choose what a drag in the scene does. */
  edit(mode: Mode): void {
    this.live?.close();
    this.live = null;
    const start = firstSketch(this.state);
    if (mode === "look" || !start || this.state.locked) {
      this.desk.model.set({ mode: "look", aim: null, live: null, sketch: null, past: [] });
      return;
    }
    this.desk.model.set({ mode, live: null, past: [], aim: null, sketch: null });
    if (mode === "target") this.dragTarget(start.tip, true);
    else this.dragPath(start, true);
  }

  /** Ask what leads to a new place of the target. */
  dragTarget(aim: Vec3, done: boolean): void {
    const { past } = this.state;
    this.desk.model.set({ aim, past: done ? [...past, { aim }] : past });
    this.askLive(aim);
  }

  /** What follows a dragged target: the selected way alone, which is answered soonest, or all. */
  private followed(): PlanOptions {
    const { c_arm: _cArm, ...options } = optionsOf(this.state);
    const { approach, side } = selected(this.state) ?? {};
    return approach && side ? { ...options, approaches: [approach], sides: [side] } : options;
  }

  private askLive(aim: Vec3): void {
    const { opened } = this.state;
    const needle = editingNeedle(this.state);
    if (!opened || !needle) return;
    this.live ??= new LiveLink(
      service.liveAddress(opened.case_id),
      (live) => this.desk.model.set({ live }),
      (problem) => this.desk.refuse(problem),
      () => this.desk.tell("The preview has ended", ["The connection was lost; move the target to start anew."]),
    );
    this.live.ask({
      ...this.followed(), target: pointAt(aim), needles: [needle.name],
      certificate_tolerance_mm: PREVIEW_TOLERANCE_MM,
    });
  }

  /** Plan for the dragged target in full. */
  async planHere(): Promise<void> {
    const { aim } = this.state;
    if (!aim) return;
    this.planning.aim(pointAt(aim));
    this.edit("look");
    await this.planning.plan();
  }

  /** Draw the path between two points, from where it can be moved on. */
  async draw(sketch: Sketch): Promise<void> {
    this.edit("path");
    if (this.state.mode === "path") this.dragPath(sketch, true);
  }

  /** Move an end of the drawn path; it is measured as it moves, the newest place first. */
  dragPath(change: Partial<Sketch>, done: boolean): void {
    const { sketch: before, past } = this.state;
    const sketch = { ...before, ...change } as Sketch;
    this.desk.model.set({ sketch, past: done ? [...past, { sketch }] : past });
    void this.measureNewest();
  }

  private async measureNewest(): Promise<void> {
    if (this.state.measuring) return;
    this.desk.model.set({ measuring: true });
    let measured: Sketch | null = null;
    await this.desk.attempt(async () => {
      for (let { sketch } = this.state; sketch && sketch !== measured; { sketch } = this.state) {
        measured = sketch;
        await this.measure(sketch, editingNeedle(this.state)?.name ?? null);
      }
    });
    this.desk.model.set({ measuring: false });
  }

  private async measure(sketch: Sketch, needle: string | null): Promise<void> {
    const { opened } = this.state;
    if (!opened || !needle) return;
    const path = straight(vector(sketch.entry), vector(sketch.tip));
    const measured = await service.evaluate(opened.case_id, drawnOf(this.state, { path, needle }));
    if (this.state.opened !== opened) return;
    this.desk.model.set({ drawn: { ...measured, rank: 0 } });
    this.looking.select(0);
  }

  /** Measure again the path that an address names. */
  async restore(sketch: Sketch, needle: string | null, rank: number): Promise<void> {
    await this.desk.attempt(async () => {
      await this.measure(sketch, needle ?? editingNeedle(this.state)?.name ?? null);
      this.looking.select(rank);
    });
  }

  /** Go back to the place before. */
  undo(): void {
    const [before] = this.state.past.slice(-2);
    const past = this.state.past.slice(0, -2);
    if (!before || this.state.past.length < 2) return;
    this.desk.model.set({ past });
    if ("aim" in before) this.dragTarget(before.aim, true);
    else this.dragPath(before.sketch, true);
  }
}
