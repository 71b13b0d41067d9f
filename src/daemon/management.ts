import { type Instance, type Management, NoCounter, WrongState } from "../api/management.ts";
import type { Backend, DaemonInfo, InflightRequest, State } from "../api/shapes.ts";
import type { BlobFile } from "../blob/locate.ts";
import { inflight } from "../metrics/counters.ts";
import { progressOf } from "../metrics/prefetch-progress.ts";
import { configOf } from "./config-shown.ts";
import { ErrorRing } from "./events.ts";
import type { Log } from "./log.ts";
import { backendMetrics, cacheMetrics, fsStats } from "./nydusd-metrics.ts";
import type { DaemonOptions } from "./run.ts";
import type { BuildInfo } from "./version.ts";

/** Of the image within the mount: it is the whole of it. */
const ROOT = "/";

/** What is known once requests are answered. */
interface Serving {
  readonly counters: SharedArrayBuffer;
  readonly backend: Backend;
  readonly instance: Instance;
}

/** Answers the API for a daemon that serves one image. Reads shared counters; never waits for a worker. */
export class DaemonManagement implements Management {
  private readonly options: DaemonOptions;
  private readonly log: Log;
  private readonly build: BuildInfo;
  private readonly ring = new ErrorRing();
  private state: State = "INIT";
  private serving: Serving | undefined;
  private isLeaving = false;

  constructor(options: DaemonOptions, log: Log, build: BuildInfo) {
    this.options = options;
    this.build = build;
    this.log = log;
    log.watch((message) => this.ring.push(message));
  }

  ready(): void {
    this.state = "READY";
  }

  running(counters: SharedArrayBuffer, files: readonly BlobFile[], prefetch: SharedArrayBuffer): void {
    const config = configOf(this.options);
    this.serving = {
      counters,
      backend: { backend_type: "Rafs", mountpoint: ROOT, mounted_time: mountedTime(new Date()), config },
      instance: {
        fsStats: () => fsStats(ROOT, counters),
        backend: () => backendMetrics(counters),
        cache: () =>
          cacheMetrics(
            files.slice(1).map(({ path }) => path),
            progressOf(prefetch),
          ),
      },
    };
    this.state = "RUNNING";
  }

  stopped(): void {
    this.serving = undefined;
    this.state = "STOPPED";
  }

  info(): DaemonInfo {
    const { version, commit, time } = this.build;
    return {
      version: {
        package_ver: version,
        git_commit: commit,
        build_time: time,
        profile: "release",
        rustc: `node ${process.version}`,
      },
      id: this.options.id ?? null,
      supervisor: null,
      state: this.state,
      backend_collection: this.serving === undefined ? {} : { [ROOT]: this.serving.backend },
    };
  }

  events = () => this.ring.all();

  setLogLevel(level: string): boolean {
    const isKnown = this.log.setLevel(level.toLowerCase());
    if (isKnown) this.log.info(`log level ${level}`);
    return isKnown;
  }

  /** READY passes by itself; who asks then gets what he asked for. */
  start(): void {
    if (this.state !== "READY") throw new WrongState("Start");
  }

  exit(): () => void {
    if (this.state !== "READY" && this.state !== "RUNNING") throw new WrongState("Exit");
    return () => {
      // A second signal would mean "at once"; a second request means nothing.
      if (!this.isLeaving) process.kill(process.pid, "SIGTERM");
      this.isLeaving = true;
    };
  }

  instance(id: string | undefined): Instance {
    if (this.serving === undefined || (id !== undefined && id !== ROOT)) throw new NoCounter();
    return this.serving.instance;
  }

  inflight(): InflightRequest[] {
    if (this.serving === undefined) return [];
    return inflight(this.serving.counters).map(({ node, opcode, unique, since }) => ({
      inode: node,
      opcode,
      unique: Number(unique),
      timestamp_secs: Math.floor(since / 1000),
    }));
  }
}

/** As nydusd writes it: `2026-11-23 17:55:54.047000000 +00:00:00`. */
const mountedTime = (now: Date): string =>
  now.toISOString().replace("T", " ").replace("Z", "000000 +00:00:00");
