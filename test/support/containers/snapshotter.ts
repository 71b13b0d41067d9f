import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";
import { until, workDir } from "../daemon.ts";
import type { ProxyPlugin } from "./containerd-config.ts";

/** The program that users call. */
export const SNAPSHOTTER = fileURLToPath(new URL("../../../bin/nydus-snapshotter-ts.mjs", import.meta.url));

/** A `nydus-snapshotter-ts` in a directory of its own, as containerd is told of it. */
export interface Snapshotter {
  readonly plugin: ProxyPlugin;
  readonly dir: string;
  readonly pid: number;
  /** All that it has said. */
  output(): string;
  /** Ends it, and waits for that. @returns exit status, or the signal's name */
  end(signal?: NodeJS.Signals): Promise<number | string>;
  /** Starts it again after `end`. */
  start(): Promise<void>;
}

const running: Snapshotter[] = [];
afterEach(async () => {
  for (const snapshotter of running.splice(0)) await snapshotter.end("SIGKILL");
});

/** @param containerdAddress where it will find containerd */
export async function startSnapshotter(
  containerdAddress: string,
  words: readonly string[] = [],
  dir = workDir(),
): Promise<Snapshotter> {
  const address = join(dir, "snapshotter.sock");
  const root = join(dir, "root");
  const said: string[] = [];
  let child: ChildProcess | undefined;
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const snapshotter: Snapshotter = {
    plugin: { name: "tarfs", address, root, capabilities: [] },
    dir,
    get pid() {
      return child?.pid ?? 0;
    },
    output: () => said.join(""),
    end: async (signal = "SIGTERM") => {
      if (child === undefined || !isRunning()) return child?.exitCode ?? child?.signalCode ?? 0;
      const exited = new Promise<number | string>((resolve) =>
        child?.once("exit", (status, by) => resolve(status ?? by ?? 0)),
      );
      child.kill(signal);
      return exited;
    },
    start: async () => {
      const all = ["--root", root, "--address", address, "--containerd-address", containerdAddress, ...words];
      child = spawn(process.execPath, [SNAPSHOTTER, ...all], { stdio: ["ignore", "pipe", "pipe"] });
      const before = said.length;
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
      await until(() => {
        if (!isRunning()) throw new Error(`no snapshotter:\n${snapshotter.output()}`);
        return said.slice(before).join("").includes("ready ");
      }, "a snapshotter that is ready");
    },
  };
  running.push(snapshotter);
  await snapshotter.start();
  return snapshotter;
}
