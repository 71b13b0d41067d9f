import type { HeldFiles } from "../blob/held-files.ts";
import type { Logger } from "../log/log.ts";
import type { Counters } from "../metrics/counters.ts";
import type { Inflight } from "../metrics/inflight.ts";
import type { PrefetchProgress } from "../metrics/prefetch-progress.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { Ended } from "./ended.ts";
import type { Submounts } from "./submounts.ts";
import type { TakenImage } from "./take.ts";
import type { Tracing } from "./tracing.ts";

/** An image, and where in the mount it is to be seen: names from the root on. */
export interface ImageAt {
  readonly names: readonly string[];
  readonly taken: TakenImage;
  /** Who writes down what is read first of it. */
  readonly tracing?: Tracing | undefined;
}

/** What every transport needs to serve images. */
export interface MountRequest {
  /** The image that is there from the start. */
  readonly first: ImageAt | undefined;
  /** Whether images may come and go later. */
  readonly mayChange: boolean;
  readonly held: HeldFiles;
  /** Most files that a thread may keep open beyond those. */
  readonly maxOpen: number;
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
  readonly log: Logger;
}

/** Mounted images that are being served. */
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
  /** What its threads have counted so far. */
  counts(): Counters;
  /** What they are answering. */
  inflight(): Inflight[];
  /** Blobs of images that are shown whose file cannot give what it promised. */
  lostBlobs(): number;
  /** What was warmed of its images. */
  prefetched(): PrefetchProgress;
  /** What the kernel asks of its images. */
  readonly traits: Traits;
  /** Its images, where they can come and go. */
  readonly submounts: Submounts | undefined;
  /** Threads that answer requests at the moment. */
  workers(): number;
}
