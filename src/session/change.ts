import type { BlobFile } from "../blob/locate.ts";
import type { ImageHandle } from "../erofs/image.ts";
import type { LedgerBuffers } from "../fuse/worker-ledger.ts";
import type { TreeChange } from "../pseudo/change.ts";

/** An image as every thread of a session has it. Shared buffers are shared, the rest is copied. */
export interface SharedImage extends LedgerBuffers {
  readonly handle: ImageHandle;
  readonly files: readonly BlobFile[];
  /** A byte a file: its loss was told. */
  readonly lost: SharedArrayBuffer;
  /** By slot, where reads are logged; absent when nobody traces. */
  readonly trace: readonly SharedArrayBuffer[] | undefined;
}

/** A change on its way to a worker. */
export interface Numbered {
  readonly number: number;
  readonly change: Change;
}

/** What happened to the images of a session: whole, so that nobody serves half of it. */
export interface Change {
  readonly tree: TreeChange;
  /** Of those that the tree places. */
  readonly images: readonly SharedImage[];
}
