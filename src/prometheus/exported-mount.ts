import type { Counters } from "../counters/counters.ts";
import type { Inflight } from "../counters/inflight.ts";
import type { PrefetchProgress } from "../counters/prefetch-progress.ts";

/** States of a mount, as its probes show them. */
export const STATES = ["starting", "serving", "stopping"] as const;
export type State = (typeof STATES)[number];

/** A mount that is served: all that this room knows of it. */
export interface ExportedMount {
  readonly version: string;
  readonly commit: string;
  /** What was counted for all images, those that are gone included. */
  counts(): Counters;
  images(): readonly ExportedImage[];
  inflight(): readonly Inflight[];
  /** What was prefetched, of all images. */
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
  /** Called before counts are shown. */
  onShown(): void;
  /** A path of each of these nodes that has one: a walk of the tree, so for rare events only. */
  pathsOf(nodes: ReadonlySet<number>): ReadonlyMap<number, string>;
}

/** One image of a mount. */
export interface ExportedImage {
  /** Path of the bootstrap or image. */
  readonly source: string;
  /** Where it is seen. */
  readonly mountpoint: string;
  readonly inodes: number;
  readonly blobs: number;
  counts(): Counters;
}
