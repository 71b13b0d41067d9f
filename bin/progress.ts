import type { Report } from "../src/source/report.ts";

/** Lines for a log: not for what is done at once, and not many. */
const LINE_MS = 2000;
const DRAW_MS = 100;
/** Nothing is drawn of what is done at once. */
const FIRST_MS = 300;
const BAR = 24;
/** To the beginning of the line, which is empty then. */
const CLEAR = "\r\u001b[K";

export const mib = (bytes: number): string =>
  `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;

/** Progress on stderr: a bar on a terminal, else a line now and then. */
export const progress = (isTerminal: boolean): Report =>
  new Progress(isTerminal, (text) => process.stderr.write(text));

/** What is known of work at a moment. */
export interface Moment {
  readonly layers: number;
  readonly ready: number;
  /** Bytes of all layers' files; 0 when one's is not known: it comes through a pipe. */
  readonly total: number;
  readonly done: number;
  /** Since it began. */
  readonly ms: number;
}

/** One phase after the other: reading an archive, then its layers. What is done only grows, whatever is begun anew. */
export class Progress implements Report {
  private readonly isTerminal: boolean;
  private readonly write: (text: string) => void;
  private readonly now: () => number;
  private cells: readonly Float64Array[] = [];
  private most = 0;
  private state = { layers: 0, ready: 0, total: 0, from: 0 };
  private timer: NodeJS.Timeout | undefined;
  private isDrawn = false;

  constructor(isTerminal: boolean, write: (text: string) => void, now = () => performance.now()) {
    this.isTerminal = isTerminal;
    this.write = write;
    this.now = now;
  }

  start(bytes: readonly number[], cells: readonly Float64Array[]): void {
    const total = bytes.includes(0) ? 0 : bytes.reduce((sum, n) => sum + n, 0);
    this.state = { layers: bytes.length, ready: 0, total, from: this.now() };
    this.cells = cells;
    this.most = 0;
    this.timer = setInterval(() => this.show(), this.isTerminal ? DRAW_MS : LINE_MS);
  }

  ready(): void {
    this.state.ready++;
  }

  stop(): void {
    clearInterval(this.timer);
    if (this.isDrawn) this.write(CLEAR);
    this.isDrawn = false;
  }

  show(): void {
    const { from, ...state } = this.state;
    this.most = Math.max(
      this.most,
      this.cells.reduce((sum, cell) => sum + (cell[0] ?? 0), 0),
    );
    const moment = { ...state, done: this.most, ms: this.now() - from };
    if (!this.isTerminal) this.write(`${lineText(moment)}\n`);
    else if (moment.ms >= FIRST_MS) {
      this.isDrawn = true;
      this.write(CLEAR + barText(moment));
    }
  }
}

/** Bytes a second, once that means something. */
const rateText = ({ done, ms }: Moment): string => `${mib((1000 * done) / Math.max(ms, 1))}/s`;
const doneText = ({ done, total }: Moment): string =>
  total === 0 ? mib(done) : `${mib(Math.min(done, total))} of ${mib(total)}`;

export const lineText = (moment: Moment): string =>
  `layers: ${moment.ready} of ${moment.layers} ready, ${doneText(moment)}, ${rateText(moment)}`;

export function barText(moment: Moment): string {
  const { done, total, layers, ready, ms } = moment;
  const layer = `layer ${Math.min(ready + 1, layers)} of ${layers}`;
  const seconds = `${Math.floor(ms / 1000)} s`;
  // How much will come through a pipe is unknown.
  if (total === 0) return [doneText(moment), layer, rateText(moment), seconds].join(" | ");
  const part = Math.min(1, done / total);
  const filled = Math.floor(part * BAR);
  const bar = "█".repeat(filled) + "░".repeat(BAR - filled);
  const left = done === 0 || ms < 1000 ? "" : leftText(((1 - part) / part) * (ms / 1000));
  const parts = [`${bar} ${Math.floor(100 * part)}%`, doneText(moment), layer, rateText(moment), left];
  return parts.filter((each) => each !== "").join(" | ");
}

function leftText(seconds: number): string {
  const s = Math.ceil(seconds);
  return s < 60 ? `${s} s left` : `${Math.floor(s / 60)} min ${s % 60} s left`;
}
