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
  State,
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
  /** For people, where more is known than what the message means. */
  readonly explanation: string | undefined;
  constructor(message: string, explanation?: string) {
    super(message);
    this.explanation = explanation;
  }
}

const WANTED = { Start: "READY", Exit: "READY or RUNNING", Takeover: "INIT" } as const;

export class WrongState extends Refusal {
  override readonly status = 400;
  constructor(event: keyof typeof WANTED, state: State) {
    super(
      `DaemonAbnormal(UnexpectedEvent("${event}"))`,
      `the daemon is ${state}, ${event.toLowerCase()} wants ${WANTED[event]}`,
    );
  }
}

/** Of images: there is none of that id, or none is named and there are several. */
export class NoCounter extends Refusal {
  override readonly status = 404;
  constructor(id: string | undefined, shown: readonly string[]) {
    const what = id === undefined ? "which image is not said" : `no image "${id}"`;
    const choice = `${what}; there are: ${shown.join(", ")}`;
    super("Metrics(Stats(NoCounter))", shown.length === 0 ? "no image is mounted" : choice);
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
  constructor(why: string) {
    super("DaemonAbnormal(Unsupported)", why);
  }
}

export class MountFailed extends Refusal {
  override readonly status = 500;
  /** @param why in nydusd's words where it has any */
  constructor(why: string, explanation?: string) {
    super(`MountFilesystem(Other(${JSON.stringify(why)}))`, explanation);
  }
}

/** The daemon cannot write down what a process that goes on with it would have to know. Not in nydusd. */
export class NotStored extends Refusal {
  override readonly status = 507;
  constructor(why: string) {
    super(
      `MountFilesystem(Other(${JSON.stringify(why)}))`,
      `nothing has changed, for it cannot be written down: ${why}`,
    );
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
  constructor(level: string) {
    super("ResponsePayloadType", `no log level "${level}": want error, warn, info, debug, trace or off`);
  }
}

/** @returns the status of an answer, and what people are told beside its message */
export const refusalOf = (
  error: unknown,
): { readonly status: number; readonly explanation?: string | undefined } =>
  error instanceof Refusal ? { status: error.status, explanation: error.explanation } : { status: 500 };
