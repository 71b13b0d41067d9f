import {
  type Instance,
  type Management,
  type MountCommand,
  NoCounter,
  NotReady,
  TransferFailed,
  Unsupported,
  UpgradeFailed,
  WrongState,
} from "../api/management.ts";
import type { Backend, DaemonInfo, InflightRequest, State } from "../api/shapes.ts";
import type { HeldFiles } from "../blob/held-files.ts";
import { messageOf } from "../bytes/errors.ts";
import type { Log } from "../log/log.ts";
import { progressOf } from "../counters/prefetch-progress.ts";
import type { PinnedImage } from "../session/pinned-image.ts";
import type { ShownInstance, Session, ShownImage } from "../session/transport.ts";
import { nodeIn } from "../vfs/node-id.ts";
import { configOf } from "./config-shown.ts";
import { ErrorRing } from "./events.ts";
import { FileReport } from "./file-report.ts";
import { type Changeable, mountByOrder, unmountByOrder } from "./image-orders.ts";
import { backendMetrics, cacheMetrics, fsStats } from "./nydusd-metrics.ts";
import type { DaemonOptions } from "./options.ts";
import type { LifecycleControl } from "./lifecycle-control.ts";
import type { BuildInfo } from "./version.ts";

/** What is known once requests are answered. */
interface Serving {
  readonly session: Session;
  readonly held: HeldFiles;
}

/** Answers the API for a daemon. Reads shared counters; never waits for a worker. */
export class ApiBackend implements Management {
  private readonly options: DaemonOptions;
  private readonly orders: LifecycleControl;
  private readonly log: Log;
  private readonly build: BuildInfo;
  private readonly ring = new ErrorRing();
  private state: State = "INIT";
  private serving: Serving | undefined;
  private isLeaving = false;
  private readonly reports = new WeakMap<PinnedImage, FileReport>();

  constructor(options: DaemonOptions, orders: LifecycleControl, log: Log, build: BuildInfo) {
    this.options = options;
    this.orders = orders;
    this.build = build;
    this.log = log;
    log.watch((message) => this.ring.push(message));
  }

  ready(): void {
    this.state = "READY";
  }

  running(session: Session, held: HeldFiles): void {
    this.serving = { session, held };
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
      supervisor: this.options.supervisor ?? null,
      state: this.state,
      backend_collection: Object.fromEntries(this.shown().map((each) => [each.path, backendOf(each)])),
    };
  }

  events = () => this.ring.all();

  setLogLevel(level: string): boolean {
    const isKnown = this.log.setLevel(level.toLowerCase());
    if (isKnown) this.log.info(`log level ${level}`);
    return isKnown;
  }

  /** Without a takeover READY passes by itself; a client that asks then gets what it asked for. */
  async start(): Promise<void> {
    if (this.state !== "READY") throw new WrongState("Start", this.state);
    await this.orders.start();
  }

  async sendDevice(): Promise<void> {
    if (this.serving === undefined) throw new NotReady();
    await this.orders.sendDevice().catch(failTransfer);
  }

  async takeOver(): Promise<void> {
    if (this.state !== "INIT") throw new WrongState("Takeover", this.state);
    await this.orders.takeOver().catch(failTransfer);
    this.ready();
  }

  exit(): () => void {
    if (this.state !== "READY" && this.state !== "RUNNING") throw new WrongState("Exit", this.state);
    return () => {
      // A second signal would mean "at once"; a second request means nothing.
      if (!this.isLeaving) this.orders.exit();
      this.isLeaving = true;
    };
  }

  async upgrade(): Promise<() => void> {
    if (this.serving === undefined) throw new NotReady();
    try {
      return await this.orders.upgrade();
    } catch (error) {
      throw new UpgradeFailed(messageOf(error));
    }
  }

  mount = (path: string, order: MountCommand): Promise<void> =>
    mountByOrder("mount", path, order, this.changeable());

  remount = (path: string, order: MountCommand): Promise<void> =>
    mountByOrder("remount", path, order, this.changeable());

  async unmount(path: string): Promise<void> {
    await unmountByOrder(path, this.changeable());
  }

  instance(id: string | undefined): Instance {
    const found = this.find(id);
    if (found === undefined)
      throw new NoCounter(
        id,
        this.shown().map(({ path }) => path),
      );
    const { path, pinned, counts, instances } = found;
    const reports = instances.map((instance) => this.reportOf(instance));
    return {
      fsStats: () => fsStats(path, counts(), pinned.choice.records),
      backend: () => backendMetrics(counts()),
      cache: () =>
        cacheMetrics(
          pinned.image.files.slice(1).map(({ path }) => path),
          progressOf(pinned.prefetching.progress),
        ),
      files: () => Object.assign({}, ...reports.map((report) => report.counts())),
      latestFiles: () => reports.flatMap((report) => report.latest()),
      pattern: () => reports.flatMap((report) => report.pattern()),
    };
  }

  /** By its place or by what its configuration calls it, or the only one. */
  private find(id: string | undefined): ShownImage | undefined {
    const all = this.shown();
    if (id === undefined) return all.length === 1 ? all[0] : undefined;
    const named = () => all.find(({ pinned }) => id !== "" && pinned.choice.id === id);
    return all.find(({ path }) => path === id) ?? named();
  }

  private reportOf({ slot, pinned, accounts }: ShownInstance): FileReport {
    const known = this.reports.get(pinned);
    if (known !== undefined) return known;
    const base = nodeIn(slot, 0);
    const report = new FileReport(pinned.image, base, accounts, pinned.choice.records, this.log.warn);
    this.reports.set(pinned, report);
    return report;
  }

  inflight(): InflightRequest[] {
    if (this.serving === undefined) return [];
    return this.serving.session.inflight().map(({ node, opcode, unique, since }) => ({
      inode: node,
      opcode,
      unique: Number(unique),
      timestamp_secs: Math.floor(since / 1000),
    }));
  }

  private changeable(): Changeable {
    if (this.serving === undefined) throw new NotReady();
    const { session, held } = this.serving;
    const { options, log } = this;
    const { changes, device, traits } = session;
    if (changes === undefined) throw new Unsupported("fuse-native shows one image, and that one stays");
    if (options.upper !== undefined)
      throw new Unsupported("what lies below the overlay of --rw must not change");
    return { changes, device, traits, held, options, log };
  }

  private shown = (): ShownImage[] => this.serving?.session.images() ?? [];
}

const failTransfer = (error: unknown): never => {
  throw new TransferFailed(messageOf(error));
};

const backendOf = ({ path, pinned, since }: ShownImage): Backend => ({
  backend_type: "Rafs",
  mountpoint: path,
  mounted_time: mountedTime(since),
  config: configOf(pinned.choice),
});

/** As nydusd writes it: `2026-11-23 17:55:54.047000000 +00:00:00`. */
const mountedTime = (now: Date): string =>
  now.toISOString().replace("T", " ").replace("Z", "000000 +00:00:00");
