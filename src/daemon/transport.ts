import type { OpenedImage } from "../fs/open-image.ts";
import type { Logger } from "./log.ts";

/** What every transport needs to serve one image. */
export interface MountRequest {
  readonly image: OpenedImage;
  /** Canonical path of an existing directory. */
  readonly mountpoint: string;
  /** Shown as the mount's source. */
  readonly source: string;
  /** Extra mount options, after the default ones. */
  readonly options: readonly string[];
  readonly threads: number;
  readonly push: boolean;
  /** Keep CPUs awake while requests come in numbers. */
  readonly lowLatency: boolean;
  /** A log a worker of what is read (trace/read-log); absent when nobody traces. */
  readonly trace: readonly SharedArrayBuffer[] | undefined;
  readonly log: Logger;
}

/** A mounted image that is being served. */
export interface Session {
  /** `transport=…, workers=…` and what was agreed on, for the ready line. */
  readonly facts: string;
  /** Resolves when nobody is served any more: after an unmount, an abort, or `stop`. */
  readonly ended: Promise<Ended>;
  /**
   * Unmounts (lazily when busy), lets those inside finish for a while, then stops serving. Called again, it
   * stops at once.
   */
  stop(): Promise<void>;
  /** What its threads have counted so far, see metrics/counters. */
  readonly counters: SharedArrayBuffer;
  /** Threads that answer requests at the moment. */
  workers(): number;
}

export interface Ended {
  readonly how: "unmounted" | "aborted" | "stopped" | "failed";
  readonly message: string;
}
