import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";
import { until, workDir } from "../daemon.ts";
import { addressIn, type Containerd, startContainerd } from "./containerd.ts";
import { type ContainerdOptions, proxyPlaces } from "./containerd-config.ts";
import type { Engine } from "./engines.ts";

/** What users run, as it was built. */
export const SNAPSHOTTER = fileURLToPath(
  new URL("../../../dist/bundle/nydus-snapshotter-ts.js", import.meta.url),
);

/** `nydus-snapshotter-ts` for a containerd of the test's own; it ends with the test. */
export interface Snapshotter {
  readonly root: string;
  readonly address: string;
  pid(): number;
  /** All that it has printed and logged. */
  log(): string;
  /** @returns its exit status, or the signal */
  end(signal?: NodeJS.Signals): Promise<number | string | undefined>;
  /** Starts it again after `end`. @param other options, instead of those that it had */
  start(other?: readonly string[]): Promise<void>;
}

const running: Snapshotter[] = [];
// Registered after containerd.ts's, so that it runs before: nothing is to be called any more.
afterEach(async () => {
  for (const snapshotter of running.splice(0)) await snapshotter.end("SIGKILL");
});

export async function startSnapshotter(dir: string, words: readonly string[] = []): Promise<Snapshotter> {
  const { root, address } = proxyPlaces(dir);
  const logFile = join(dir, "snapshotter.log");
  const all = ["--root", root, "--address", address, "--containerd-address", addressIn(dir)];
  let child: ChildProcess | undefined;
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const snapshotter: Snapshotter = {
    ...{ root, address },
    pid: () => child?.pid ?? 0,
    log: () => readFileSync(logFile, "utf8"),
    end: async (signal = "SIGTERM") => {
      if (!isRunning()) return undefined;
      const exited = new Promise<number | string>((resolve) =>
        child?.once("exit", (code, by) => resolve(code ?? by ?? "")),
      );
      child?.kill(signal);
      return exited;
    },
    start: async (other = words) => {
      const log = openSync(logFile, "a");
      const before = fstatSync(log).size;
      child = spawn(process.execPath, [SNAPSHOTTER, ...all, ...other], { stdio: ["ignore", log, log] });
      closeSync(log);
      await until(() => {
        if (!isRunning()) throw new Error(`no snapshotter:\n${snapshotter.log()}`);
        return /^ready /m.test(snapshotter.log().slice(before));
      }, "a snapshotter that is ready");
    },
  };
  running.push(snapshotter);
  await snapshotter.start();
  return snapshotter;
}

/** A containerd, and the snapshotter that is tested. */
export interface Both {
  readonly containerd: Containerd;
  readonly snapshotter: Snapshotter;
}

/** @param words more options of the snapshotter */
export async function startBoth(
  engine: Engine,
  options: ContainerdOptions = {},
  words: readonly string[] = [],
): Promise<Both> {
  const dir = workDir();
  // First: containerd calls nobody for seconds who was not there when it called.
  const snapshotter = await startSnapshotter(dir, words);
  return { snapshotter, containerd: await startContainerd(engine, { ...options, proxy: true }, dir) };
}
