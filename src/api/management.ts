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
  start(): void;
  /**
   * @returns what ends the daemon, to be called once the answer is on its way
   * @throws WrongState
   */
  exit(): () => void;
  /**
   * The image that is served under an id, or the only one.
   *
   * @throws NoCounter when there is none
   */
  instance(id: string | undefined): Instance;
  inflight(): readonly InflightRequest[];
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
  constructor(event: "Start" | "Exit") {
    super(`DaemonAbnormal(UnexpectedEvent("${event}"))`);
  }
}

export class NoCounter extends Refusal {
  override readonly status = 404;
  constructor() {
    super("Metrics(Stats(NoCounter))");
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
