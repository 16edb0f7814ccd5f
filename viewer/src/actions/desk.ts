/** Where everything a reader does is done: what goes wrong is told here, and nowhere else. */

import type { Problem } from "../contract";
import { problemLines, type Model } from "../model";
import { OfflineError, ProblemError } from "../service";

export class Desk {
  constructor(readonly model: Model) {}

  /** Do something, and tell the reader if it does not work out. */
  async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      if (error instanceof OfflineError) this.model.set({ link: "offline" });
      else if (error instanceof ProblemError && error.problem.status === 401) {
        this.model.set({ link: "locked" });
      } else if (error instanceof ProblemError) this.refuse(error.problem);
      else if (error instanceof Error) this.tell("That did not work", [error.message]);
      else throw error;
    }
  }

  refuse(problem: Problem): void {
    this.tell(problem.title, problemLines(problem));
  }

  tell(title: string, lines: readonly string[]): void {
    this.model.set({ notice: { tone: "error", title, lines } });
  }

  dismiss(): void {
    this.model.set({ notice: null });
  }
}
