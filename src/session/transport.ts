import type { Counters } from "../counters/counters.ts";
import type { AccountsBuffer } from "../counters/file-accounts.ts";
import type { Inflight } from "../counters/inflight.ts";
import type { PrefetchProgress } from "../counters/prefetch-progress.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { TransportName } from "./choose.ts";
import type { Ended } from "./ended.ts";
import type { PinnedImage } from "./pinned-image.ts";
import type { CheckedState, SessionSnapshot } from "./snapshot.ts";

/** How another process can go on with a session. */
export interface Transferable {
  /** The FUSE device. */
  readonly fd: number;
  state(): SessionSnapshot;
  /**
   * Takes no request any more, answers what was taken, and ends; the mount stays.
   *
   * @returns false when threads were left that could not be woken, or wait for a disk
   */
  handOver(): Promise<boolean>;
  /** Number of the last request: when it is the same nothing has happened. */
  lastUnique(): number;
  /** Of its images. */
  serials(): number[];
  /** What is known of its images, by serial. */
  checkedOf(serial: number): CheckedState | undefined;
  /** Outstanding lookups of each image of which they are known, by serial; when no worker serves any more. */
  knownLookups(): [serial: number, balance: number][];
  /** That of a process that has handed the session over: then images can be forgotten again. */
  restoreLookups(lookups: ReadonlyMap<number, number>): void;
  /** The process that has handed it over has died before it was done. */
  resend(): void;
}

/** An image that is shown, and what is counted of it. */
export interface ShownImage {
  /** Within the mount, `/` for all of it. */
  readonly path: string;
  readonly pinned: PinnedImage;
  readonly since: Date;
  /** Of all images that were shown there. */
  counts(): Counters;
  /** It, and those whose place it took: the kernel may still ask for nodes of theirs. */
  readonly instances: readonly ShownInstance[];
}

/** An image that has node ids. */
export interface ShownInstance {
  /** Of its node ids, above their lower 32 bits. */
  readonly slot: number;
  readonly pinned: PinnedImage;
  /** See counters/file-accounts: one a worker; none where single files are not counted. */
  readonly accounts: readonly AccountsBuffer[];
}

/** Images come and go while they are served. Each resolves when the change can be seen. */
export interface ImageChanges {
  /** @throws MountObstacle */
  mount(names: readonly string[], pinned: PinnedImage): Promise<void>;
  /** @throws MountObstacle */
  remount(names: readonly string[], pinned: PinnedImage): Promise<void>;
  /** @throws MountObstacle */
  unmount(names: readonly string[]): Promise<void>;
}

/** How a session talks to the kernel. */
export interface SessionFacts {
  readonly transport: TransportName;
  readonly workers: number;
  /** What INIT agreed on: `7.minor`, and the longest READ in bytes. */
  readonly protocol: string;
  readonly max_read: number;
}

/** Mounted images that are being served. */
export interface Session {
  /** How it talks to the kernel, for the ready line. */
  readonly facts: SessionFacts;
  /** Of the mount, `major:minor`: known though it is detached, or has got elsewhere. */
  readonly device: string;
  /** Resolves when no request is served any more: after an unmount, an abort, or `stop`. */
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
  failedBlobs(): number;
  /** What was warmed of its images. */
  prefetched(): PrefetchProgress;
  /** What the kernel asks of its images. */
  readonly traits: Traits;
  /** Its images that are shown, in the order in which they were mounted. */
  images(): ShownImage[];
  /** How they change; undefined: it shows one image for good. */
  readonly changes: ImageChanges | undefined;
  /** Threads that answer requests at the moment. */
  workers(): number;
  /** Processes that went on with it, this one included, and those of them whose predecessor had died. */
  readonly takeovers: { readonly all: number; readonly crashes: number };
  /** Whether, and how, another process can go on with it. */
  readonly transfer: Transferable | undefined;
}
