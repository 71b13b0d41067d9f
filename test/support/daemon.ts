import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  execFileSync,
  spawn,
  spawnSync,
} from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, vi } from "vitest";
import { textLine } from "../../src/log/log-line.ts";
import { mountAt, readMounts } from "../../src/mounts/table.ts";
import { startOf, statOf } from "../../src/proc/processes.ts";
import { fixture } from "./image.ts";

/** The compiled command: what users run. */
export const COMMAND = fileURLToPath(new URL("../../dist/bundle/nydusd-ts.js", import.meta.url));
/** For NODE_OPTIONS, see there. As an address: it has no blanks, which would end the option. */
export const PATIENT = `--import=${new URL("patient.mjs", import.meta.url).href}`;
/** Longest a daemon may take to be ready, or to end, on a busy machine. */
const PATIENCE_MS = 240_000;

/** Longest that what a process said last may take to arrive. */
const LAST_WORDS_MS = 1_000;

/** A running `nydusd-ts`. */
export interface Daemon {
  readonly mountpoint: string;
  readonly pid: number;
  /** Resolves with its exit status (or signal) once it ended. */
  readonly exited: Promise<number | string>;
  /** Everything it has printed so far, its log as text. */
  output(): string;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

const running: ChildProcess[] = [];
const dirs: string[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const dir of dirs) {
    for (const { mountpoint } of readMounts().filter((m) => m.mountpoint.startsWith(dir)))
      spawnSync("umount", ["-l", mountpoint], { timeout: PATIENCE_MS });
  }
  // What still hangs in a mount is let go when its daemon is dead, and what its keeper started is dead.
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const kept = childrenOf(child.pid ?? 0);
    child.kill("SIGKILL");
    for (const pid of kept) kill(pid);
  }
  // What a script has left in the background, or a daemon that is unmounted, may still write there: 82 s, as it waits longer each time.
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true, maxRetries: 40 });
});

/** Processes that another one has started, in the order of their pids. */
export const childrenOf = (parent: number): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(statOf(Number(name))?.[1]) === parent)
    .map(Number);

/** Whether a process is gone, or waits for a parent that never asks: where npm is the first process, nobody does. */
export const hasEnded = (pid: number): boolean => startOf(pid) === undefined;

/** Ends a process at once, if it is there. */
export function kill(pid: number): void {
  if (pid < 1) throw new Error("there is no process to kill"); // 0 would be this process and all that it started
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone already
  }
}

/** A directory of the test's own; whatever is mounted below it is unmounted when the test ends. */
export function workDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-"));
  dirs.push(dir);
  return dir;
}

export function emptyDir(): string {
  const dir = join(workDir(), "mnt");
  mkdirSync(dir);
  return dir;
}

/** `--blob 1=… --blob 2=…` for devices in slot order. */
export const blobFlags = (devices: readonly string[]): string[] =>
  devices.flatMap((path, i) => ["--blob", `${i + 1}=${path}`]);

/** Runs the command to its end; what it logs is text in `stderr`. */
export function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { status: number | null; stdout: string; stderr: string } {
  const child = spawnSync(process.execPath, [COMMAND, ...args], {
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: PATIENCE_MS,
  });
  return { status: child.status, stdout: child.stdout, stderr: withTextLog(child.stderr) };
}

/** Runs a mount that must fail to its end; what it says, and what it leaves behind. */
export function runMount(args: readonly string[]) {
  const mountpoint = emptyDir();
  const finished = run([...args, "--mountpoint", mountpoint]);
  return { ...finished, isMounted: isMounted(mountpoint), processes: mentioning(mountpoint) };
}

/**
 * Starts a daemon and waits for its ready line.
 *
 * @param short the words of a short form, which are followed by the mountpoint; `mount` stays in the foreground
 */
export async function start(
  args: readonly string[],
  mountpoint = emptyDir(),
  short: readonly string[] = ["--mountpoint"],
  command: readonly [string, ...string[]] = [process.execPath, COMMAND],
): Promise<Daemon> {
  const [program, ...before] = command;
  const isDaemon = short[0] === "mount" && !short.some((word) => word.startsWith("erofs"));
  const stays = isDaemon ? ["--foreground"] : [];
  const child = launch(program, [...before, ...short, mountpoint, ...stays, ...args]);
  let text = "";
  const exited = new Promise<number | string>((resolve) =>
    child.once("exit", (code, signal) => {
      const end = () => resolve(code ?? signal ?? "");
      // When all that it has said is read; what it has started may hold its pipes for longer.
      child.once("close", end);
      setTimeout(end, LAST_WORDS_MS);
    }),
  );
  const take = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  await until(() => /^ready /m.test(text) || child.exitCode !== null, "the ready line");
  if (!/^ready /m.test(text)) throw new Error(`the daemon ended before it was ready: ${text}`);
  return {
    mountpoint,
    pid: child.pid ?? 0,
    exited,
    output: () => withTextLog(text),
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
      const status = await exited;
      clearTimeout(timer);
      return status;
    },
  };
}

/** Daemons that this test starts from now on serve those inside for as long as they take: no clock ends what is looked at. */
export const bePatient = (): void => void vi.stubEnv("NODE_OPTIONS", PATIENT);

/** A daemon that serves a fixture. */
export function startFixture(
  name: string,
  args: readonly string[],
  mountpoint: string = emptyDir(),
): Promise<Daemon> {
  const { path, devices } = fixture(name);
  return start(["--bootstrap", path, ...blobFlags(devices), ...args], mountpoint);
}

/** A process that is killed when the test ends, with pipes for all that it says and is told. */
export function launch(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  const child = spawn(command, args, { stdio: "pipe", env: { ...process.env, LC_ALL: "C" } });
  running.push(child);
  return child;
}

/** A finished command. */
export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a shell script to its end, whatever that is. This process does not block meanwhile: a mount that
 * hangs must not keep the test's timeout from ending it.
 */
export function shell(script: string, ...args: readonly string[]): Promise<Finished> {
  const child = launch("bash", ["-euo", "pipefail", "-c", script, "bash", ...args]);
  child.stdin.end();
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve) =>
    child.once("close", (status) =>
      resolve({ status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    ),
  );
}

/** Runs a shell script that must succeed and not complain; its standard output. */
export async function ask(script: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await shell(script, ...args);
  if (status !== 0 || stderr !== "") throw new Error(`${script}: status ${status}: ${stderr}`);
  return stdout;
}

/** A shell that holds something of a mount. */
export interface Holder {
  readonly pid: number;
  /** Lets it go on after the `read` that ends the first half of its script; what it prints from then on. */
  release(): Promise<string>;
}

/** Starts a shell with `before`, and waits until that is done; `after` runs when it is told to. */
export async function hold(before: string, after: string, ...args: readonly string[]): Promise<Holder> {
  const script = `${before}; echo held; read -r _; ${after}`;
  const child = launch("bash", ["-euc", script, "bash", ...args]);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  await until(() => text === "held\n" || child.exitCode !== null, `the holder of: ${before}`);
  return {
    pid: child.pid ?? 0,
    release: async () => {
      child.stdin.end("go\n");
      await closed;
      return text.slice("held\n".length);
    },
  };
}

/** Signals that are closer together are taken for one, ms. */
const ECHO_MS = 200;

/** Stops a daemon that was told to and is busy, by a second signal: one that is taken for an echo of the first is given again. */
export async function stopAtOnce({ pid, exited, output }: Daemon): Promise<number | string> {
  await until(() => output().includes("is busy"), "detaching");
  let hasEnded = false;
  void exited.then(() => {
    hasEnded = true;
  });
  for (; !hasEnded && !output().includes("stopping at once"); await sleep(2 * ECHO_MS))
    process.kill(pid, "SIGTERM");
  return exited;
}

/** Polls until `condition` holds. */
export async function until(
  condition: () => boolean,
  what: string | (() => string),
  ms = PATIENCE_MS,
): Promise<void> {
  for (const end = Date.now() + ms; !condition(); ) {
    if (Date.now() > end)
      throw new Error(`${typeof what === "string" ? what : what()} did not come in ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const isMounted = (path: string): boolean => mountAt(path) !== undefined;

/** Processes that have `word` in their command line. */
export const mentioning = (word: string): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(word);
    } catch {
      return false; // gone meanwhile
    }
  });

/** What a daemon printed, with JSON lines of its log as it writes them for a terminal. */
export const withTextLog = (output: string): string =>
  output.replace(/^\{"time":.*\}\n/gm, (line) => {
    const { time, level, message, ...fields } = JSON.parse(line);
    return textLine(new Date(time), level, message, Object.keys(fields).length > 0 ? fields : undefined);
  });

/** Counts by opcode and name, from the line a daemon logs at its end. */
export function servedCounts(output: string): Record<string, number> {
  const line = output.split("\n").find((l) => l.includes("served {"));
  if (line === undefined) throw new Error(`no "served" line in: ${output}`);
  return JSON.parse(line.slice(line.indexOf("{"))) as Record<string, number>;
}

/** Runs a shell command that must succeed; its standard output. */
export const sh = (script: string, env: Record<string, string> = {}): string =>
  execFileSync("bash", ["-euo", "pipefail", "-c", script], {
    encoding: "utf8",
    timeout: 900_000,
    env: { ...process.env, LC_ALL: "C", ...env },
    maxBuffer: 1 << 28,
  });

/**
 * Mounts with the kernel's EROFS, file-backed. mount(8) would put a loop device under a plain file, so the
 * system call is made by perl, which every Debian has.
 */
export function mountErofs(image: string, devices: readonly string[], mountpoint: string): void {
  // A comma would end an option, so the kernel is told links.
  const links = workDir();
  const options = devices.map((device, i) => {
    symlinkSync(resolve(device), join(links, `${i}`));
    return `device=${join(links, `${i}`)}`;
  });
  const SYS_MOUNT = process.arch === "arm64" ? 40 : 165;
  // perl's syscall wants strings that it could write to, and numbers that are numbers.
  const script =
    "my ($n, $rdonly, @s) = @ARGV; syscall($n + 0, $s[0], $s[1], $s[2], $rdonly + 0, $s[3]) == 0 or die qq($!\\n)";
  execFileSync(
    "perl",
    ["-e", script, String(SYS_MOUNT), "1", image, mountpoint, "erofs", options.join(",")],
    {
      timeout: PATIENCE_MS,
    },
  );
}

/** Open files and threads of a process. */
export const facts = (pid: number): { threads: number; rssKb: number } => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return { threads: field("Threads"), rssKb: field("VmRSS") };
};
