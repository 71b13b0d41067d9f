import { draw } from "./say.ts";
import type { Report, Work } from "../src/mkfs/report.ts";

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
export const progress = (isTerminal: boolean): Report => new Progress(isTerminal, draw);

/** What is known of work at a moment. */
export interface Moment {
  readonly work: Work;
  readonly count: number;
  readonly ready: number;
  /** Bytes of all files, those of work that is over, too; 0 when one's is not known: it comes through a pipe. */
  readonly total: number;
  readonly done: number;
  /** Of the whole, 0 to 1. */
  readonly part: number;
  /** Since the first work began. */
  readonly ms: number;
}

/** Of the whole, where sources are stored first: decompressing takes most of the time, and what layers there will be is unknown. */
const SOURCES_PART = 0.7;

/** One work after the other: storing sources, then their layers. What is done only grows, whatever is begun anew. */
export class Progress implements Report {
  private readonly isTerminal: boolean;
  private readonly write: (text: string) => void;
  private readonly now: () => number;
  private cells: readonly Float64Array[] = [];
  /** Of this work. */
  private most = 0;
  private state = { work: "layers" as Work, count: 0, ready: 0, total: 0, from: 0 };
  /** Of work that is over: bytes, and which part of the whole it was. */
  private before = { done: 0, part: 0 };
  private timer: NodeJS.Timeout | undefined;
  private isDrawn = false;

  constructor(isTerminal: boolean, write: (text: string) => void, now = () => performance.now()) {
    this.isTerminal = isTerminal;
    this.write = write;
    this.now = now;
  }

  start(work: Work, bytes: readonly number[], cells: readonly Float64Array[]): void {
    const { state, before } = this;
    const isFirst = state.count === 0;
    if (!isFirst)
      this.before = {
        done: before.done + Math.max(this.most, state.total),
        part: state.work === "sources" && state.total > 0 ? SOURCES_PART : before.part,
      };
    const total = bytes.includes(0) ? 0 : bytes.reduce((sum, n) => sum + n, 0);
    this.state = { work, count: bytes.length, ready: 0, total, from: isFirst ? this.now() : state.from };
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
    this.most = Math.max(
      this.most,
      this.cells.reduce((sum, cell) => sum + (cell[0] ?? 0), 0),
    );
    const { from, total, ...state } = this.state;
    const { done, part } = this.before;
    const end = state.work === "sources" ? SOURCES_PART : 1;
    const moment: Moment = {
      ...state,
      total: total === 0 ? 0 : done + total,
      done: done + this.most,
      part: total === 0 ? part : part + (end - part) * Math.min(1, this.most / total),
      ms: this.now() - from,
    };
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
  `${moment.work}: ${moment.ready} of ${moment.count} ready, ${doneText(moment)}, ${rateText(moment)}`;

export function barText(moment: Moment): string {
  const { work, done, total, part, count, ready, ms } = moment;
  const one = `${work.slice(0, -1)} ${Math.min(ready + 1, count)} of ${count}`;
  const seconds = `${Math.floor(ms / 1000)} s`;
  // How much will come through a pipe is unknown.
  if (total === 0) return [doneText(moment), one, rateText(moment), seconds].join(" | ");
  const filled = Math.floor(part * BAR);
  const bar = "█".repeat(filled) + "░".repeat(BAR - filled);
  const left = done === 0 || ms < 1000 ? "" : leftText(((1 - part) / part) * (ms / 1000));
  const parts = [`${bar} ${Math.floor(100 * part)}%`, doneText(moment), one, rateText(moment), left];
  return parts.filter((each) => each !== "").join(" | ");
}

function leftText(seconds: number): string {
  const s = Math.ceil(seconds);
  return s < 60 ? `${s} s left` : `${Math.floor(s / 60)} min ${s % 60} s left`;
}
