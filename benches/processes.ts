import { execFile } from "node:child_process";
import { accessSync, constants, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, delimiter, join } from "node:path";

const SYNC_MS = 120_000;

/** A command that ended badly. `status` is its exit status, -1 when it was killed (timeout or interrupt). */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/**
 * Runs a command to its end.
 *
 * @param signal kills it by its own pid
 * @returns its stdout
 * @throws CommandError with the last line of its stderr
 */
export function run(argv: readonly string[], timeoutMs: number, signal?: AbortSignal): Promise<string> {
  const late = AbortSignal.timeout(timeoutMs);
  const stop = signal === undefined ? late : AbortSignal.any([signal, late]);
  // By signal, not by execFile's timeout: that waits for the end of a process that a dead mount may hold.
  const options = { signal: stop, killSignal: "SIGKILL", maxBuffer: 1 << 26 } as const;
  return new Promise((resolve, reject) => {
    execFile(argv[0], argv.slice(1), options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const status = typeof error.code === "number" ? error.code : -1;
      const words = stderr.trim().split("\n").at(-1);
      const why = late.aborted ? `no end after ${timeoutMs / 1000} s` : words || error.message;
      reject(new CommandError(`${basename(argv[0])} ${argv[1] ?? ""}: ${why}`, status));
    });
  });
}

/** Empties the kernel's caches. */
export async function dropCaches(signal: AbortSignal): Promise<void> {
  await run(["sync"], SYNC_MS, signal);
  writeFileSync("/proc/sys/vm/drop_caches", "3");
}

/** The path of a program on PATH. */
export function which(name: string): string | undefined {
  const dirs = (process.env["PATH"] ?? "").split(delimiter).filter((dir) => dir !== "");
  return dirs.map((dir) => join(dir, name)).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A process and all below it: a daemon may have a supervisor. Those that ended are left out. */
export function pidsFrom(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  const children = threads.flatMap((tid) => read(`/proc/${pid}/task/${tid}/children`).split(" "));
  return [pid, ...children.filter((child) => child !== "").flatMap((child) => pidsFrom(Number(child)))];
}

/** Clock ticks a second that /proc/PID/stat counts in: 100 for user space on every Linux. */
const TICKS = 100;

/** User and system time so far, seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = read(`/proc/${pid}/stat`);
    // After the name, which may hold spaces: utime and stime are fields 14 and 15, counted from 1.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields.length > 12) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS;
}

/** Resident memory, and the anonymous part of it, MiB; pages shared between the processes count twice. */
export function memoryMib(pids: readonly number[]): { resident: number; anonymous: number } {
  const status = pids.map((pid) => read(`/proc/${pid}/status`));
  const sum = (field: string) =>
    status.reduce((kib, text) => kib + Number(text.match(`${field}:\\s+(\\d+) kB`)?.[1] ?? 0), 0) / 1024;
  return { resident: sum("VmRSS"), anonymous: sum("RssAnon") };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
