import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach } from "vitest";
import { type Finished, shell, workDir } from "../daemon.ts";
import { type ContainerdOptions, containerdConfig } from "./containerd-config.ts";
import { removeContainers } from "./containers-left.ts";
import type { Engine } from "./engines.ts";

/** Longest that one call of `ctr` may take, s. */
const CALL_SECONDS = 120;
/** Longest that containerd may take to accept calls. */
const START_MS = 60_000;

/** A containerd in a directory of its own; it and all that it has started end with the test. */
export interface Containerd {
  readonly engine: Engine;
  readonly dir: string;
  readonly address: string;
  /** Of all that `ctr` does, and the name of a cgroup: nobody else's. */
  readonly namespace: string;
  /** Runs `ctr` to its end, whatever that is. */
  ctr(...words: string[]): Promise<Finished>;
  /** Runs `ctr`, and kills it after so many ms if it has not ended by then. */
  ctrKilled(ms: number, ...words: string[]): Promise<Finished>;
  /** Runs `ctr`, which must succeed. @returns its standard output */
  ask(...words: string[]): Promise<string>;
  /** All that it has logged. */
  log(): string;
  /** Containers go on. */
  end(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after `end`. */
  start(): Promise<void>;
}

const running: Containerd[] = [];
let count = 0;
// Registered after daemon.ts's, so that it runs before the directory is removed.
afterEach(async () => {
  for (const containerd of running.splice(0)) {
    await containerd.end();
    await removeContainers(containerd);
  }
});

export async function startContainerd(
  engine: Engine,
  options: ContainerdOptions = {},
  dir = workDir(),
): Promise<Containerd> {
  const address = addressIn(dir);
  const logFile = join(dir, "containerd.log");
  const namespace = `nydusd-ts-${process.pid}-${count++}`;
  const env = {
    ...process.env,
    PATH: engine.path,
    LC_ALL: "C",
    TMPDIR: join(dir, "tmp"),
    SSL_CERT_FILE: certificateOf(dir),
  };
  mkdirSync(env.TMPDIR);
  chmodSync(dir, 0o711); // root of a user namespace has to get to its container
  writeFileSync(join(dir, "config.toml"), containerdConfig(engine, dir, options));
  /** @param limit timeout(1)'s words */
  const call = (limit: readonly string[], words: readonly string[]): Promise<Finished> =>
    shell(
      'export PATH=$1 TMPDIR=$2 SSL_CERT_FILE=$3; shift 3; exec timeout "$@"',
      ...[env.PATH, env.TMPDIR, env.SSL_CERT_FILE, ...limit],
      ...[engine.ctr, "--address", address, "--namespace", namespace, ...words],
    );
  const ctr = (...words: string[]) => call(["-k", "5", `${CALL_SECONDS}`], words);
  let child: ChildProcess | undefined;
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const containerd: Containerd = {
    ...{ engine, dir, address, namespace, ctr },
    ctrKilled: (ms, ...words) => call(["-s", "KILL", `${ms / 1000}`], words),
    ask: async (...words) => {
      const { status, stdout, stderr } = await ctr(...words);
      if (status !== 0)
        throw new Error(`ctr ${words.join(" ")}: status ${status}: ${stderr}\n${containerd.log()}`);
      return stdout;
    },
    log: () => readFileSync(logFile, "utf8"),
    end: async (signal = "SIGKILL") => {
      if (!isRunning()) return;
      const exited = new Promise((resolve) => child?.once("exit", resolve));
      child?.kill(signal);
      await exited;
    },
    start: async () => {
      const log = openSync(logFile, "a");
      const words = ["--config", join(dir, "config.toml")];
      child = spawn(engine.containerd, words, { stdio: ["ignore", log, log], env });
      closeSync(log);
      for (const end = Date.now() + START_MS; !(await accepts(address)); await sleep(20))
        if (!isRunning() || Date.now() > end) throw new Error(`no containerd:\n${containerd.log()}`);
    },
  };
  running.push(containerd);
  await containerd.start();
  return containerd;
}

export const addressIn = (dir: string): string => join(dir, "containerd.sock");

/** The certificate that a containerd in `dir` trusts. */
export const certificateOf = (dir: string): string => join(dir, "registry.pem");

/** Whether somebody takes connections at a unix socket. */
export const accepts = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
