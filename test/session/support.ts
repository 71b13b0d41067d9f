import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { INFLIGHT, inflightRow, newInflight } from "../../src/counters/inflight.ts";
import { busyWord, newControl } from "../../src/fuse/control.ts";
import type { Log } from "../../src/log/log.ts";
import type { Clock } from "../../src/session/clock.ts";
import { Notifier } from "../../src/session/notifier.ts";
import { Publisher } from "../../src/session/publisher.ts";
import { build, merge } from "../mkfs/support.ts";
import { type Made, tarOf } from "../mkfs/emit.ts";
import { scratchDir } from "../support/image.ts";

/** Lets everything run that waits for no timer. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
}

/** Time that passes only when a test says so. */
export class ManualClock implements Clock {
  private time = 1_000_000;
  private readonly timers = new Set<{ at: number; callBack: () => void }>();

  now = (): number => this.time;

  after = (ms: number, callBack: () => void): (() => void) => {
    const timer = { at: this.time + ms, callBack };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  };

  sleep = (ms: number): Promise<void> => new Promise((resolve) => void this.after(ms, resolve));

  get waiting(): number {
    return this.timers.size;
  }

  /** Calls back what is due within that time, in order, each when its time has come. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settled();
    for (;;) {
      const due = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.time = due.at;
      due.callBack();
      await settled();
    }
    this.time = end;
  }
}

/** Lines that were logged, `level message`. */
export function newLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const levels = {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
  };
  return {
    ...levels,
    lines,
    close: () => {},
    reopen: () => {},
    setLevel: () => true,
    watch: () => {},
  } as never;
}

/** A publisher whose device is a list, and the shared memory that workers would write. */
export function newPublisher(workers: number, clock: Clock, write?: (message: Buffer) => Promise<unknown>) {
  const control = new Int32Array(newControl(workers));
  const inflightTable = newInflight(workers);
  const written: Buffer[] = [];
  const probes: number[] = [];
  const log = newLog();
  const notifier = new Notifier(write ?? (async (message) => void written.push(message)), log);
  const probe = async (requests: number) => void probes.push(requests);
  const publisher = new Publisher({ notifier, control, inflightTable, probe, clock });
  /** Says what a worker is in: an opcode, or 0 for none. */
  const setRequest = (index: number, opcode: number, since = clock.now()) => {
    const row = inflightRow(inflightTable, index);
    row[INFLIGHT.OPCODE] = opcode;
    row[INFLIGHT.SINCE] = since;
    control[busyWord(index)] = opcode === 0 ? 0 : 1;
  };
  return { publisher, control, inflightTable, written, probes, log, setRequest };
}

/** Bootstraps of an image and of what became of it, and where their tars are. */
export interface ImageVersions {
  readonly dir: string;
  readonly boots: readonly string[];
}

/** @param layers each lies above those before it */
export async function imageVersions(...layers: (readonly Made[])[]): Promise<ImageVersions> {
  const dir = scratchDir();
  const below: string[] = [];
  const boots: string[] = [];
  for (const [i, entries] of layers.entries()) {
    const tar = join(dir, `layer${i}.tar`);
    writeFileSync(tar, tarOf(entries));
    copyFileSync(tar, join(dir, createHash("sha256").update(readFileSync(tar)).digest("hex")));
    const bootstrap = join(dir, `layer${i}.boot`);
    await build(tar, { bootstrap });
    below.push(bootstrap);
    const merged = join(dir, `version${i}.boot`);
    merge(below, { bootstrap: merged });
    boots.push(merged);
  }
  return { dir, boots };
}
