import type { Failure, Stop } from "../mkfs/threads.ts";

/** To convert a layer within a directory of its own. */
export interface ConvertTask {
  readonly do: "convert";
  readonly stage: string;
  readonly digest: string;
  readonly size: number;
  /** undefined: its bytes come as messages. */
  readonly file: string | undefined;
  /** It is a tar of the store already, and only its bootstrap is made; `isTrusted`: its bytes are known to be the right ones. */
  readonly own?: { readonly isTrusted: boolean };
  /** Told how many bytes of the blob are done. */
  readonly done: Float64Array;
}

/** What is known of a layer. */
export interface LayerFacts {
  /** sha256 of the tar. */
  readonly id: string;
  readonly tarBytes: number;
  readonly bootstrapBytes: number;
  readonly side: { readonly id: string; readonly bytes: number } | undefined;
}

/** What lies in the directory then, on disk but for the directory: the tar under its id, the bootstrap, the side blob. */
export interface Converted extends LayerFacts {
  /** Without that the tar is not there. */
  readonly isNew: boolean;
}

/** Name of the bootstrap in the directory. */
export const STAGED_BOOTSTRAP = "boot";

/** To lay layers over one another. */
export interface MergeTask {
  readonly do: "merge";
  /** Paths of bootstraps, the lowest first. */
  readonly layers: readonly string[];
  /** Where the new one goes. */
  readonly bootstrap: string;
}

export interface MergeDone {
  readonly bytes: number;
  /** Ids, in the order of the device table. */
  readonly blobs: readonly string[];
}

/** To look at what is in a store. */
export interface ScanTask {
  readonly do: "scan";
  readonly root: string;
}

/** A layer that is whole, as far as one can see; an older version of the builder may have made the bootstrap. */
export interface FoundLayer extends LayerFacts {
  readonly bootstrap: string;
}

/** A layer of which only the tar is worth something. */
export interface DamagedLayer extends Pick<LayerFacts, "id" | "tarBytes"> {
  readonly bootstrap: string;
  readonly problem: string;
}

/** The same of layers that were merged. */
export interface FoundMerged extends MergeDone {
  readonly key: string;
  readonly bootstrap: string;
}

export interface Scanned {
  readonly layers: readonly FoundLayer[];
  readonly damaged: readonly DamagedLayer[];
  readonly merged: readonly FoundMerged[];
  /** What is wrong, a line each. */
  readonly problems: readonly string[];
}

/** To unpack a layer into an empty directory. */
export interface UnpackTask {
  readonly do: "unpack";
  readonly bootstrap: string;
  readonly blobs: readonly { readonly id: string; readonly path: string }[];
  readonly directory: string;
  /** Directories that overlayfs will have below it, the highest first. */
  readonly below: readonly string[];
}

export type StoreTask = ConvertTask | MergeTask | ScanTask | UnpackTask;

export type ResultOf<Task extends StoreTask> = Task extends ConvertTask
  ? Converted
  : Task extends MergeTask
    ? MergeDone
    : Task extends ScanTask
      ? Scanned
      : null;

/** More of a blob that comes as messages; its end; what went wrong with it. */
export type BlobPiece =
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly end: true }
  | { readonly lost: string };

/** What a thread is told. */
export type ThreadCommand = StoreTask | BlobPiece | Stop;

/** What it says. */
export type ThreadMessage =
  | { readonly say: "warning"; readonly message: string }
  /** It can take another piece of the blob. */
  | { readonly say: "more" }
  | { readonly say: "done"; readonly result: ResultOf<StoreTask> }
  /** `isLayers`: the layer itself is the reason. */
  | { readonly say: "failed"; readonly failure: Failure; readonly isLayers: boolean };
