import { execFile } from "node:child_process";
import { write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { codeOf, messageOf } from "../bytes/errors.ts";
import { nudge } from "../fuse/notify.ts";
import { CONTROL } from "../fuse/serve.ts";
import { lastFile } from "../metrics/counters.ts";
import type { Change } from "./change.ts";
import type { Crew } from "./crew.ts";
import type { Logger } from "./log.ts";

/** Between two looks at who has taken in a change. */
const LOOK_MS = 5;
/** From then on nudges are of no use: the kernel has forgotten the file. */
const CALL_MS = 40;
/** A worker that is in the middle of a request needs no call, and a slow disk may keep it for long. */
const MAX_LOOK_MS = 500;
/** Changes that a worker may have waiting for it: each holds memory. */
const MAX_BEHIND = 64;
const CALLER_MS = 10_000;

const writeTo = promisify(write);

/** The session that is told. */
export interface Staged {
  readonly fd: number;
  readonly mountpoint: string;
  readonly crew: Crew;
  readonly control: Int32Array;
  /** Counters of its threads. */
  readonly session: SharedArrayBuffer;
  readonly log: Logger;
}

/** Brings changes to those who must know: the workers, and the kernel. */
export class Stage {
  private readonly of: Staged;
  private isOver = false;
  private calling: Promise<void> | undefined;
  /** Notifications go one after the other: each may wait for requests, in a thread of libuv's. */
  private last: Promise<void> = Promise.resolve();

  constructor(staged: Staged) {
    this.of = staged;
    staged.crew.ended.then(() => {
      this.isOver = true;
    });
  }

  /** Every request that arrives from now on is answered with the change. @returns its number */
  change(change: Change): number {
    const { crew, control } = this.of;
    crew.send(change);
    const number = Atomics.add(control, CONTROL.CHANGE, 1) + 1;
    this.nudge(number);
    if (this.behind(number - MAX_BEHIND) > 0) this.call();
    return number;
  }

  /** Resolves when no worker is in a request that it began before the change, or when the session is over. */
  async taken(number: number): Promise<void> {
    for (let ms = LOOK_MS; !this.isOver && this.behind(number) > 0; ms = Math.min(2 * ms, MAX_LOOK_MS)) {
      await sleep(ms);
      if (ms < CALL_MS) this.nudge(number);
      else if (this.behind(number) > 0) await this.call();
    }
  }

  /** Tells the kernel, in order. Resolves when it has acted upon all. */
  notify(messages: readonly Buffer[]): Promise<void> {
    this.last = this.last.then(async () => {
      for (const message of messages) {
        if (this.isOver) return;
        await writeTo(this.of.fd, message).catch((error: unknown) => this.failed(error));
      }
    });
    return this.last;
  }

  /** Resolves when nobody writes to the device any more. */
  async close(): Promise<void> {
    this.isOver = true;
    await this.last;
  }

  /** Each wakes the worker that has waited longest. */
  private nudge(number: number): void {
    const file = lastFile(this.of.session);
    if (file !== 0) this.notify(Array.from({ length: this.behind(number) }, () => nudge(file)));
  }

  /** Where the kernel knows no file to be nudged with: another process asks for what is never answered from a cache. */
  private call(): Promise<void> {
    const { mountpoint, crew } = this.of;
    // Not every request goes to another worker.
    const args = ["-f", ...Array.from({ length: 4 * crew.workers }, () => mountpoint)];
    this.calling ??= new Promise((resolve) => {
      execFile("stat", args, { timeout: CALLER_MS, killSignal: "SIGKILL" }, () => {
        this.calling = undefined;
        resolve();
      });
    });
    return this.calling;
  }

  private behind(number: number): number {
    const { crew, control } = this.of;
    let count = 0;
    for (let index = 0; index < crew.workers; index++)
      if (Atomics.load(control, CONTROL.TAKEN + index) < number) count++;
    return count;
  }

  /** ENOENT: the kernel does not know the node, so there is nothing to forget. */
  private failed(error: unknown): void {
    const code = codeOf(error);
    if (["ENODEV", "ECONNABORTED", "ENOTCONN", "EPERM"].includes(code)) this.isOver = true;
    else if (code !== "ENOENT")
      this.of.log.warn(`the kernel would not take a notification: ${messageOf(error)}`);
  }
}
