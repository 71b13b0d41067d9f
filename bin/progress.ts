import type { Report } from "../src/source/report.ts";

/** Lines for a log: not for what is done at once, and not many. */
const LINE_MS = 2000;

export const mib = (bytes: number): string =>
  `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;

/** What a report has become. */
export interface ProgressState {
  readonly layers: number;
  ready: number;
  readonly total: number;
  /** Bytes now. */
  readonly done: () => number;
  /** Bytes a second so far. */
  readonly rate: () => number;
}

/** Progress on stderr: a bar on a terminal, else a line now and then. */
export const progress = (isTerminal: boolean): Report => new Progress(isTerminal ? bar : lines);

/** Begins to show a state. @returns called when it has changed, and at the end */
export type ProgressView = (state: ProgressState) => (isOver: boolean) => void;

class Progress implements Report {
  private readonly view: ProgressView;
  private state: ProgressState | undefined;
  private update: (isOver: boolean) => void = () => {};

  constructor(view: ProgressView) {
    this.view = view;
  }

  start(bytes: readonly number[], cells: readonly Float64Array[]): void {
    const from = performance.now();
    const done = () => cells.reduce((sum, cell) => sum + (cell[0] ?? 0), 0);
    this.state = {
      layers: bytes.length,
      ready: 0,
      total: bytes.reduce((sum, n) => sum + n, 0),
      done,
      rate: () => (1000 * done()) / (performance.now() - from),
    };
    this.update = this.view(this.state);
  }

  ready(): void {
    if (this.state !== undefined) this.state.ready++;
    this.update(false);
  }

  stop(): void {
    this.update(true);
  }
}

/** Its library costs 30 ms: only where there is something to wait for. */
const bar: ProgressView = (state) => {
  let isOver = false;
  let update: ReturnType<ProgressView> = () => {};
  import("./progress-bar.ts")
    .then((loaded) => {
      if (!isOver) update = loaded.bar(state);
    })
    .catch(() => {}); // the work goes on without a bar
  return (isLast) => {
    isOver = isLast;
    update(isLast);
  };
};

const lines: ProgressView = (state) => {
  const say = () =>
    process.stderr.write(
      `layers: ${state.ready} of ${state.layers} ready, ${mib(state.done())} of ${mib(state.total)}, ${mib(state.rate())}/s\n`,
    );
  const timer = setInterval(say, LINE_MS);
  return (isOver) => {
    if (isOver) clearInterval(timer);
  };
};
