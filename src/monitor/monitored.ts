/** What becomes of a mount, as far as somebody who watches it cares. */
export const STATES = ["starting", "serving", "stopping"] as const;
export type State = (typeof STATES)[number];

/** A mount that is served: all that this room knows of it. */
export interface Monitored {
  /** Path of the bootstrap or image. */
  readonly image: string;
  readonly mountpoint: string;
  readonly inodes: number;
  readonly blobs: number;
  /** Descriptors of the image and its blobs that are held open. */
  readonly blobDescriptors: number;
  readonly version: string;
  readonly commit: string;
  /** See metrics/counters. */
  readonly counters: SharedArrayBuffer;
  /** See metrics/prefetch-progress. */
  readonly prefetch: SharedArrayBuffer;
  /** Workers that run; more may join. */
  workers(): number;
  state(): State;
  /** Name of an operation by its number in the counters. */
  operation(opcode: number): string;
  /** A path of each of these nodes that has one: a walk of the tree, so for rare events only. */
  pathsOf(nodes: ReadonlySet<number>): ReadonlyMap<number, string>;
}
