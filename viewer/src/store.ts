/** One value that is replaced, never changed, and those who want to know. */

type Watcher = () => void;

export class Store<S extends object> {
  private readonly watchers = new Set<Watcher>();

  constructor(private current: S) {}

  get state(): S {
    return this.current;
  }

  set(change: Partial<S>): void {
    this.current = { ...this.current, ...change };
    for (const tell of [...this.watchers]) tell();
  }

  /** Call `react` now, and whenever one of what `pick` picks is another value than before. */
  watch(pick: (state: S) => readonly unknown[], react: (state: S) => void): void {
    let before: readonly unknown[] | null = null;
    const tell = (): void => {
      const now = pick(this.current);
      if (before !== null && now.every((value, i) => Object.is(value, before?.[i]))) return;
      before = now;
      react(this.current);
    };
    this.watchers.add(tell);
    tell();
  }
}
