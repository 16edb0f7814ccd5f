/**
 * Following a dragged target over the service's WebSocket (docs/service.md).
 *
 * One question is under way at a time, and of those that wait only the newest is kept: so answers
 * keep coming while the target moves, each for a place where it lately was.
 */

import type { LiveClass, PlanRequest, Problem } from "./contract";
import { socketTo } from "./service";

export interface LiveAnswer {
  /** What was answered; the target may have moved on since. */
  readonly request: PlanRequest;
  readonly classes: readonly LiveClass[];
  readonly tookS: number;
  readonly roundTripMs: number;
}

interface Told {
  readonly type: "ready" | "answer" | "problem";
  readonly id?: number | null;
  readonly took_s?: number;
  readonly classes?: readonly LiveClass[];
  readonly problem?: Problem;
}

export class LiveLink {
  /** Round trips of answered questions, ms, for those who measure. */
  readonly roundTripsMs: number[] = [];
  private socket: WebSocket | null = null;
  private ready = false;
  private waiting: PlanRequest | null = null;
  private sent: { readonly id: number; readonly at: number; readonly request: PlanRequest } | null = null;
  private count = 0;

  constructor(
    private readonly address: string,
    private readonly answered: (answer: LiveAnswer) => void,
    private readonly refused: (problem: Problem) => void,
    private readonly lost: () => void,
  ) {}

  ask(request: PlanRequest): void {
    this.waiting = request;
    if (this.socket === null) this.connect();
    this.send();
  }

  close(): void {
    const socket = this.socket;
    this.socket = null;
    this.waiting = null;
    socket?.close();
  }

  private connect(): void {
    const socket = socketTo(this.address);
    this.socket = socket;
    this.ready = false;
    this.sent = null;
    socket.onmessage = (event) => this.heard(JSON.parse(String(event.data)) as Told);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (this.waiting !== null || this.sent !== null) this.lost();
    };
  }

  private send(): void {
    if (!this.ready || this.sent !== null || this.waiting === null || this.socket === null) return;
    this.count += 1;
    this.sent = { id: this.count, at: performance.now(), request: this.waiting };
    this.socket.send(JSON.stringify({ id: this.count, request: this.waiting }));
    this.waiting = null;
  }

  private heard(told: Told): void {
    if (told.type === "ready") this.ready = true;
    else if (told.type === "problem" && told.problem) {
      this.sent = null;
      this.refused(told.problem);
    } else if (told.type === "answer" && this.sent?.id === told.id) {
      const { at, request } = this.sent!;
      const roundTripMs = performance.now() - at;
      this.roundTripsMs.push(roundTripMs);
      this.sent = null;
      this.answered({ request, classes: told.classes ?? [], tookS: told.took_s ?? 0, roundTripMs });
    }
    this.send();
  }
}
