import type { Counters } from "../counters/counters.ts";
import type { Inflight } from "../counters/inflight.ts";
import type { PrefetchProgress } from "../counters/prefetch-progress.ts";

/** What becomes of a mount, as far as somebody who watches it cares. */
export const STATES = ["starting", "serving", "stopping"] as const;
export type State = (typeof STATES)[number];

/** A mount that is served: all that this room knows of it. */
export interface Monitored {
  readonly version: string;
  readonly commit: string;
  /** What was counted for everybody, also for images that are gone. */
  counts(): Counters;
  images(): readonly MonitoredImage[];
  inflight(): readonly Inflight[];
  /** What was warmed, of all images. */
  prefetch(): PrefetchProgress;
  /** Descriptors of images and blobs that are held open. */
  blobDescriptors(): number;
  /** That the process may have open. */
  maxFds(): number;
  /** Blobs of mounted images whose file became shorter, unreadable or another one. */
  lostBlobs(): number;
  /** How often another process went on with the mount, and how often because the one before it had died. */
  readonly takeovers: { readonly all: number; readonly crashes: number };
  /** Workers that run; more may join. */
  workers(): number;
  state(): State;
  /** Called before somebody is told what was counted. */
  onShown(): void;
  /** A path of each of these nodes that has one: a walk of the tree, so for rare events only. */
  pathsOf(nodes: ReadonlySet<number>): ReadonlyMap<number, string>;
}

/** One image of a mount. */
export interface MonitoredImage {
  /** Path of the bootstrap or image. */
  readonly source: string;
  /** Where it is seen. */
  readonly mountpoint: string;
  readonly inodes: number;
  readonly blobs: number;
  counts(): Counters;
}
