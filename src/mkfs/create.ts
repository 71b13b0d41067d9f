import type { LayerFile } from "../tar/layer-file.ts";
import { type BuildOptions, type BuildResult, draftBootstrap, placeBootstrap } from "./bootstrap.ts";
import { openTar } from "./layer-tar.ts";
import { TarIndexer } from "./tar-indexer.ts";
import { hasMarkers } from "./whiteout.ts";
import { type StoredSideBlob, storeSideBlob } from "./write-side-blob.ts";

export interface CreateRequest extends BuildOptions {
  /** The layer, compressed or not. */
  readonly layer: LayerFile;
  /** undefined: the sha256 of the tar. */
  readonly blobId: string | undefined;
  /** Whether a plain tar is put into the blob directory. */
  readonly blobLink: "hard" | "none";
  /** Read on after the end marker. */
  readonly ignoreZeros: boolean;
  readonly warn: (message: string) => void;
  /** The end of the names of tars that are written, which are not on disk then; without it they are. */
  readonly unsynced?: string | undefined;
  /** One cell, told how many bytes of the layer are done; threads may share it. */
  readonly done?: Float64Array | undefined;
}

/** An image of one layer. */
export interface CreateResult extends BuildResult {
  /** The layer's blob id, also when no file needs its blob. */
  readonly id: string;
  /** The side blob, when the layer has sparse files whose map needs one: as needed as the tar. */
  readonly sideId: string | undefined;
  /** It has whiteouts: laid over nothing, it looks different. */
  readonly hasMarkers: boolean;
  /** The layer is its own tar; else the tar was written to the blob directory. */
  readonly isPlain: boolean;
}

/**
 * Builds the bootstrap of one layer. Of a seekable tar only headers are read; what comes compressed or through a
 * pipe is written, uncompressed, into the blob directory while it is indexed.
 *
 * @throws FormatError naming entry and offset, OperationalError, or a system error; nothing is left behind then
 */
export async function createImage(request: CreateRequest): Promise<CreateResult> {
  const tar = await openTar(request);
  let side: StoredSideBlob | undefined;
  try {
    const index = new TarIndexer(request, tar);
    const size = await tar.whole((soFar) => index.read(soFar, false));
    index.read(size, true);
    const tree = index.entries.finish();
    side = await storeSideBlob(index.entries.side, tar, request);
    // The bootstrap is planned and written while the end of the tar may still be hashed.
    const blob = { id: "", size };
    const draft = draftBootstrap(request, tree, side === undefined ? [blob] : [blob, side.blob]);
    blob.id = await tar.id();
    const built = placeBootstrap(request, draft, () => {
      side?.place();
      tar.place(blob.id);
    });
    return {
      ...built,
      blobSize: size,
      id: blob.id,
      sideId: side?.blob.id,
      hasMarkers: hasMarkers(tree),
      isPlain: tar.isPlain,
    };
  } finally {
    side?.discard();
    await tar.close();
  }
}
