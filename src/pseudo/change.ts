import type { FileSystem } from "../vfs/file-system.ts";

/** How the nodes of an image are related to those of the image that it replaced. */
export interface Replacement {
  /** By node within the image: what the kernel calls it already, 0 when it has no such name. Shared memory, float64. */
  readonly names: SharedArrayBuffer;
  /** By node within the image: the node of the image before it. Shared memory, u32. */
  readonly before: SharedArrayBuffer;
  /** Slot of that image. */
  readonly previous: number;
  /** How many images were at the place before, since a first one that went on from none. */
  readonly generation: number;
}

/** An image that is shown, as far as the tree is concerned. */
export interface ImagePlacement {
  readonly slot: number;
  /** Tells images that had the same slot, one after the other, apart. */
  readonly serial: number;
  /** Inode number of the root within the image; FUSE's 1 is its node. */
  readonly rootNid: number;
  /** What the kernel calls the root. */
  readonly rootNode: number;
  readonly rootIno: number;
  /** The virtual directory that the root is in. */
  readonly parent: number;
  readonly replacement?: Replacement | undefined;
}

/** A name in a virtual directory that leads to something from now on, or to nothing. */
export interface EntryChange {
  readonly directory: number;
  readonly name: Uint8Array;
  readonly cookie: number;
  /** 0: the name is gone, and a virtual directory that it led to as well. */
  readonly node: number;
  readonly ino: number;
}

/** By node within the slot: the node that answers for it from now on, 0 for itself. Shared memory, float64. */
interface SlotRemap {
  readonly slot: number;
  readonly to: SharedArrayBuffer;
}

/** What happened to the tree. Taken in as a whole, by each thread before its next request. */
export interface TreeChange {
  /** Slot of the image that is at the root of everything; undefined: a virtual directory is. */
  readonly rootSlot: number | undefined;
  readonly placed: readonly ImagePlacement[];
  readonly entries: readonly EntryChange[];
  readonly remaps: readonly SlotRemap[];
  /** Slots whose image the kernel has forgotten. */
  readonly freed: readonly number[];
}

/** Makes the file system of an image that was placed. */
export type FileSystemOf = (slot: number) => FileSystem;
