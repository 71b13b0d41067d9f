import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { mountAt } from "../src/mounts/table.ts";
import { cpuSeconds, memoryMib, pidsFrom, run } from "./processes.ts";
import type { System } from "./systems.ts";

/** Requests by opcode and other counters, as nydusd-ts logs them when it stops. */
export type Counts = Readonly<Record<string, number>>;

const START_MS = 60_000;
const STOP_MS = 15_000;

/** One mount of one system, from its start to its end. */
export class Mounted {
  readonly path: string;
  /** From the start of the process to the answer of the first stat. */
  readonly startSeconds: number;
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;
  private readonly log: string;
  private readonly cpuAtStart: number;

  private constructor(path: string, startSeconds: number, child: ChildProcess, log: string) {
    this.path = path;
    this.startSeconds = startSeconds;
    this.child = child;
    this.log = log;
    this.ended = endOf(child);
    this.cpuAtStart = cpuSeconds(this.pids());
  }

  /**
   * Mounts on a new directory below `dir`; when it fails nothing stays mounted.
   *
   * @param load the load generator: becomes the system's command and watches the mount meanwhile
   */
  static async start(system: System, load: string, dir: string, signal: AbortSignal): Promise<Mounted> {
    signal.throwIfAborted();
    const path = await mkdtemp(join(dir, `${system.name}-`));
    const log = `${path}.log`;
    const fd = openSync(log, "a");
    // A session of its own: an interrupt at the terminal is for us, we stop it in order.
    const child = spawn(load, ["start", path, ...system.command(path)], {
      stdio: ["ignore", fd, fd, "pipe"],
      detached: true,
    });
    child.on("error", () => {}); // Its pipe closes, too.
    closeSync(fd);
    try {
      const seconds = await firstAnswer(child.stdio[3] as Readable, signal);
      if (seconds > 0) return new Mounted(path, seconds, child, log);
      throw new Error(lastLine(log) || "it ended before it was mounted");
    } catch (error) {
      await new Mounted(path, 0, child, log).stop();
      throw error;
    }
  }

  /** User and system seconds since the mount was ready. */
  cpu(): number {
    return cpuSeconds(this.pids()) - this.cpuAtStart;
  }

  memory(): { resident: number; anonymous: number } {
    return memoryMib(this.pids());
  }

  /** Ends the daemon, unmounts whatever is left, and returns what the daemon said it had served. */
  async stop(): Promise<Counts | undefined> {
    const pids = this.pids();
    if (pids.length > 0) this.child.kill("SIGTERM");
    if (!(await within(STOP_MS, this.ended))) {
      // Its death ends the requests that nobody would answer.
      for (const pid of pids) kill(pid);
      await within(STOP_MS, this.ended);
    }
    for (const flags of [["-i"], ["-i", "-l"]]) {
      if (mountAt(this.path) === undefined) break;
      await run(["umount", ...flags, this.path], STOP_MS).catch(() => {});
    }
    await rmdir(this.path);
    return parseServed(readFileSync(this.log, "utf8"));
  }

  private pids(): number[] {
    const { pid, exitCode, signalCode } = this.child;
    return pid === undefined || exitCode !== null || signalCode !== null ? [] : pidsFrom(pid);
  }
}

/** The counts of the last line that says what was served, be the log text or JSON: `served {...}`, `{"message":"served",...}`. */
export function parseServed(log: string): Counts | undefined {
  const [, text, line] = [...log.matchAll(/\bserved (\{.*\})|^(\{.*"message":"served".*\})/gm)].at(-1) ?? [];
  const json = text ?? line;
  if (json === undefined) return undefined;
  const all: Record<string, unknown> = JSON.parse(json);
  return Object.fromEntries(
    Object.entries(all).filter((e): e is [string, number] => typeof e[1] === "number"),
  );
}

/** The seconds that the watcher writes; 0 when it gave up. */
async function firstAnswer(pipe: Readable, signal: AbortSignal): Promise<number> {
  const late = AbortSignal.timeout(START_MS);
  const stop = AbortSignal.any([signal, late]);
  return new Promise((resolve, reject) => {
    let text = "";
    stop.addEventListener(
      "abort",
      () => reject(late.aborted ? new Error(`not mounted after ${START_MS / 1000} s`) : signal.reason),
      { once: true },
    );
    pipe.on("data", (bytes: Buffer) => {
      text += bytes;
    });
    pipe.on("close", () => resolve(Number(text)));
    pipe.on("error", reject);
  });
}

const endOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) resolve();
    else child.once("exit", () => resolve());
  });

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

async function within(ms: number, done: Promise<void>): Promise<boolean> {
  const timer = new AbortController();
  const late = new Promise<boolean>((resolve) => {
    const handle = setTimeout(() => resolve(false), ms);
    timer.signal.addEventListener("abort", () => clearTimeout(handle));
  });
  const isDone = await Promise.race([done.then(() => true), late]);
  timer.abort();
  return isDone;
}

const lastLine = (file: string): string => readFileSync(file, "utf8").trim().split("\n").at(-1) ?? "";
