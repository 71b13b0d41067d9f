import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SessionState } from "../../src/handover/state.ts";
import { StateFile } from "../../src/handover/state-file.ts";
import { childrenOf, type Daemon, emptyDir, kill, start, until, workDir } from "./daemon.ts";

/** What users call: a keeper, and the program that serves. */
export const KEPT = fileURLToPath(new URL("../../bin/nydusd-ts.mjs", import.meta.url));

/** Ten directories of small files, and some of several reads each. */
export const TREE = `for d in $(seq 10); do mkdir d$d; for f in $(seq 30); do head -c $((RANDOM + 1)) /dev/urandom >d$d/f$f; done; done
  for f in 1 2 3 4; do head -c 3000000 /dev/urandom >big$f; done; ln -s d1/f1 link`;

/** A daemon with a keeper. */
export interface Kept extends Daemon {
  readonly stateDir: string;
  /** The process that serves; undefined between two. */
  serving(): number | undefined;
  /** Ends it at once, and waits until another one answers requests; ms that took. */
  crash(): Promise<number>;
}

export async function startKept(args: readonly string[], mountpoint = emptyDir()): Promise<Kept> {
  const given = args.indexOf("--state-dir");
  const stateDir = given < 0 ? join(workDir(), "state") : args[given + 1];
  const all = given < 0 ? ["--state-dir", stateDir, ...args] : args;
  const daemon = await start(all, mountpoint, ["--mountpoint"], [KEPT]);
  const serving = () => childrenOf(daemon.pid).find((pid) => isIn(pid, stateDir));
  return {
    ...daemon,
    stateDir,
    serving,
    crash: async () => {
      const before = wentOn(daemon);
      kill(serving() ?? 0);
      const at = performance.now();
      await until(() => wentOn(daemon) > before, "the next process");
      return performance.now() - at;
    },
  };
}

/** How often another process went on. */
export const wentOn = (daemon: Daemon): number => (daemon.output().match(/: went on after /g) ?? []).length;

/** Whether its state says so. */
function isIn(pid: number, dir: string): boolean {
  return stateOf(dir)?.serving.pid === pid;
}

/** The state of the only session there. */
export function stateOf(dir: string): SessionState | undefined {
  const name = readdirSync(dir).find((each) => each.endsWith(".state"));
  if (name === undefined) return undefined;
  return StateFile.at(join(dir, name.slice(0, -".state".length))).read();
}
