import type { BlobFile } from "../blob/locate.ts";
import type { ImageHandle } from "../erofs/image.ts";
import type { LedgerBuffers } from "../fuse/worker-ledger.ts";
import type { TreeChange } from "../pseudo/change.ts";

/** An image as every thread of a session has it. Shared buffers are shared, the rest is copied. */
export interface SharedImage extends LedgerBuffers {
  readonly handle: ImageHandle;
  readonly files: readonly BlobFile[];
  /** A byte a file: its failure was told. */
  readonly failedBlobs: SharedArrayBuffer;
  /** By counter row, where reads are logged; absent when nothing is traced. */
  readonly trace: readonly SharedArrayBuffer[] | undefined;
}

/** A change on its way to a worker. */
export interface Numbered {
  readonly number: number;
  readonly change: Change;
}

/** What happened to the images of a session: a worker takes in all of it at once. */
export interface Change {
  readonly tree: TreeChange;
  /** Of those that the tree places. */
  readonly images: readonly SharedImage[];
}
