import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach } from "vitest";
import { type Finished, shell, until } from "../daemon.ts";
import { accepts, type Containerd } from "./containerd.ts";
import { BUSYBOX, NO_CONTAINERS } from "./engines.ts";

const PLACE = join(dirname(BUSYBOX), "../docker");

/** Why Docker cannot be run here; undefined when it can. */
export const NO_DOCKER: string | undefined =
  NO_CONTAINERS ?? (existsSync(PLACE) ? undefined : "there is no Docker: sh test/engines.sh says why");

/** Longest that one call may take, s. */
const CALL_SECONDS = 120;

/** A dockerd on a containerd of the test's own, whose images a snapshotter of containerd's keeps. */
export interface Docker {
  /** Runs `docker` to its end, whatever that is. */
  call(...words: string[]): Promise<Finished>;
  /** Runs `docker`, which must succeed. @returns its standard output */
  ask(...words: string[]): Promise<string>;
  log(): string;
  end(signal?: NodeJS.Signals): Promise<void>;
}

const running: Docker[] = [];
// Registered after containerd.ts's, so that it runs before: nobody is to be called any more.
afterEach(async () => {
  for (const docker of running.splice(0)) await docker.end("SIGKILL");
});

/** @param snapshotter what Docker calls its storage driver */
export async function startDocker(containerd: Containerd, snapshotter: string): Promise<Docker> {
  const dir = join(containerd.dir, `docker-${snapshotter}`);
  const [socket, logFile, config] = ["docker.sock", "dockerd.log", "daemon.json"].map((name) =>
    join(dir, name),
  );
  mkdirSync(join(dir, "client"), { recursive: true });
  writeFileSync(
    join(dir, "client/config.json"),
    JSON.stringify({ cliPluginsExtraDirs: [join(PLACE, "cli-plugins")] }),
  );
  writeFileSync(config, JSON.stringify(configuration(containerd, dir, socket, snapshotter)));
  const env = { ...process.env, PATH: `${PLACE}:${containerd.engine.path}`, LC_ALL: "C" };
  const log = openSync(logFile, "a");
  const child = spawn(join(PLACE, "dockerd"), ["--config-file", config], {
    stdio: ["ignore", log, log],
    env,
  });
  closeSync(log);
  const call = (...words: string[]) =>
    shell(
      'export DOCKER_HOST="unix://$1" DOCKER_CONFIG=$2; shift 2; exec timeout -k 5 "$@"',
      ...[socket, join(dir, "client"), `${CALL_SECONDS}`, join(PLACE, "docker"), ...words],
    );
  const docker: Docker = {
    call,
    ask: async (...words) => {
      const { status, stdout, stderr } = await call(...words);
      if (status !== 0)
        throw new Error(`docker ${words.join(" ")}: status ${status}: ${stderr}\n${docker.log()}`);
      return stdout;
    },
    log: () => readFileSync(logFile, "utf8"),
    end: async (signal = "SIGTERM") => {
      await ended(child, signal);
      // Where nothing is shared, it binds its root to itself, and unmounts that only where the root of the file system is this
      // process's, too.
      await shell('! mountpoint -q "$1" || umount "$1"', join(dir, "data"));
    },
  };
  running.push(docker);
  let isReady = false;
  await until(() => {
    if (child.exitCode !== null) throw new Error(`no dockerd:\n${docker.log()}`);
    void accepts(socket).then((answer) => {
      isReady ||= answer;
    });
    return isReady;
  }, "dockerd");
  return docker;
}

/** Nothing of it lies elsewhere, and nothing of the host's network changes. */
const configuration = (
  { address, namespace }: Containerd,
  dir: string,
  socket: string,
  snapshotter: string,
) => ({
  features: { "containerd-snapshotter": true },
  "storage-driver": snapshotter,
  containerd: address,
  "containerd-namespace": namespace,
  "containerd-plugins-namespace": `${namespace}-plugins`,
  "cgroup-parent": `/${namespace}`,
  hosts: [`unix://${socket}`],
  "data-root": join(dir, "data"),
  "exec-root": join(dir, "exec"),
  pidfile: join(dir, "pid"),
  bridge: "none",
  iptables: false,
  ip6tables: false,
  "userland-proxy": false,
});

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await exited;
}
