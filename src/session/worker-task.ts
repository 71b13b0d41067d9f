import type { MessagePort } from "node:worker_threads";
import type { Agreed } from "../fuse/init.ts";
import type { Ending } from "../fuse/serve.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { Change } from "./change.ts";

/** What a worker thread is given. */
export interface WorkerTask {
  /** The FUSE device. */
  readonly fd: number;
  readonly index: number;
  /** Its row of whatever is counted, which overflow workers share. */
  readonly counterRow: number;
  readonly isOverflow: boolean;
  readonly control: SharedArrayBuffer;
  /** Of the session; images have their own. */
  readonly counters: SharedArrayBuffer;
  /** What workers are answering, see counters/inflight. */
  readonly inflightTable: SharedArrayBuffer;
  readonly maxRead: number;
  readonly traits: Traits;
  /** When the session began, s since 1970. */
  readonly since: number;
  /** One image, at the root, for good: nothing is between it and the kernel. */
  readonly isFixed: boolean;
  /** Most files that it may keep open. */
  readonly maxOpen: number;
  /** All images of this moment. */
  readonly images: Change;
  /** Where later changes come from. */
  readonly changes: MessagePort;
}

/** What a worker tells the main thread. */
export type WorkerEvent =
  | { readonly type: "init"; readonly agreed: Agreed }
  /** Small files of an image are read one after another: a readahead thread may pay. */
  | { readonly type: "sequential"; readonly slot: number }
  /** Requests wait for one another: another worker would help. */
  | { readonly type: "contention" }
  /** Requests come in numbers. */
  | { readonly type: "busy" }
  /** A request or reply, see fuse/request-tracer. */
  | { readonly type: "trace"; readonly line: string }
  | { readonly type: "problem"; readonly message: string }
  | { readonly type: "ended"; readonly ending: Ending | "failed"; readonly message: string };
