import type {
  AccessPattern,
  BackendMetrics,
  CacheMetrics,
  DaemonInfo,
  Events,
  FilesStats,
  FsStats,
  InflightRequest,
  ReadRanges,
} from "./shapes.ts";

/** What the API asks of the daemon behind it. */
export interface Management {
  info(): DaemonInfo;
  events(): Events;
  /** @returns false when there is no such level */
  setLogLevel(level: string): boolean;
  /** @throws WrongState */
  start(): Promise<void>;
  /**
   * Gives the session to the supervisor, which keeps it for another process.
   *
   * @throws NotReady, TransferFailed
   */
  sendDevice(): Promise<void>;
  /**
   * Takes a session from the supervisor; `start` goes on with it.
   *
   * @throws WrongState, TransferFailed: nothing has changed then
   */
  takeOver(): Promise<void>;
  /**
   * @returns what ends the daemon, to be called once the answer is on its way
   * @throws WrongState
   */
  exit(): () => void;
  /**
   * Lets the version that is installed now take the session over. Not in nydusd.
   *
   * @returns what hands over to it, to be called once the answer is on its way: it is ready
   * @throws UpgradeFailed: nothing has changed then
   */
  upgrade(): Promise<() => void>;
  /**
   * Shows an image at a path within the mount.
   *
   * @throws MountFailed and others: nothing has changed then
   */
  mount(path: string, order: MountCommand): Promise<void>;
  /** The same for an image in the place of one that is there. */
  remount(path: string, order: MountCommand): Promise<void>;
  unmount(path: string): Promise<void>;
  /**
   * The image that is served under an id, or the only one.
   *
   * @throws NoCounter when there is none
   */
  instance(id: string | undefined): Instance;
  inflight(): readonly InflightRequest[];
}

/** Which image to show. */
export interface MountCommand {
  /** Path of the bootstrap. */
  readonly source: string;
  /** nydusd's configuration as text; "" when there is none. */
  readonly config: string;
  /** Paths in the image that are warmed. */
  readonly prefetchFiles: readonly string[] | undefined;
}

/** An image, as far as it is counted. */
export interface Instance {
  fsStats(): FsStats;
  backend(): BackendMetrics;
  cache(): CacheMetrics;
  files(): FilesStats;
  /** Files that were read since this was called last. */
  latestFiles(): ReadRanges;
  pattern(): readonly AccessPattern[];
}

/** What was asked for cannot be. The message is nydusd's: its clients show it, and some compare it. */
abstract class Refusal extends Error {
  abstract readonly status: number;
}

export class WrongState extends Refusal {
  override readonly status = 400;
  constructor(event: "Start" | "Exit" | "Takeover") {
    super(`DaemonAbnormal(UnexpectedEvent("${event}"))`);
  }
}

export class NoCounter extends Refusal {
  override readonly status = 404;
  constructor() {
    super("Metrics(Stats(NoCounter))");
  }
}

export class NotReady extends Refusal {
  override readonly status = 503;
  constructor() {
    super("DaemonAbnormal(NotReady)");
  }
}

/** By the way in which this daemon talks to the kernel. */
export class Unsupported extends Refusal {
  override readonly status = 501;
  constructor() {
    super("DaemonAbnormal(Unsupported)");
  }
}

export class MountFailed extends Refusal {
  override readonly status = 500;
  constructor(why: string) {
    super(`MountFilesystem(Other(${JSON.stringify(why)}))`);
  }
}

/** As nydusd says it when it cannot reach its supervisor, or understand what comes from there. */
export class TransferFailed extends Refusal {
  override readonly status = 500;
  constructor(why: string) {
    super(`DaemonAbnormal(SendFd(${JSON.stringify(why)}))`);
  }
}

export class UpgradeFailed extends Refusal {
  override readonly status = 500;
  constructor(why: string) {
    super(`Upgrade(${JSON.stringify(why)})`);
  }
}

/** What nydusd says to a log level that it does not know. */
export class NoSuchLevel extends Refusal {
  override readonly status = 500;
  constructor() {
    super("ResponsePayloadType");
  }
}

export const statusOf = (error: unknown): number => (error instanceof Refusal ? error.status : 500);
