import { createHash } from "node:crypto";
import { closeSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../bytes/errors.ts";
import { AtomicFile } from "../disk/atomic-file.ts";
import { FileBytes } from "../tar/file-bytes.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import { TarReader } from "../tar/reader.ts";
import { type Layer, openLayer } from "../tar/source.ts";
import { TarTree } from "./from-tar.ts";
import { startHashing } from "./hash.ts";
import { placeBlob } from "./place-blob.ts";
import { type Blob, planImage } from "./plan.ts";
import { prefetchNodes } from "./prefetch.ts";
import { storeBlob } from "./store-blob.ts";
import type { Tree } from "./tree.ts";
import { writeImage } from "./write.ts";

/** What a bootstrap is made like. */
export interface BuildOptions {
  /** Where it goes; undefined: into the blob directory, named by its sha256. */
  readonly bootstrap: string | undefined;
  readonly blobDir: string | undefined;
  /** Bytes, a power of two. */
  readonly chunkSize: number;
  /** Leave owners out. */
  readonly isRepeatable: boolean;
  /** Absolute paths to be read ahead. */
  readonly prefetch: readonly Uint8Array[];
  /** The bootstrap's path says what is in it: one that is there is as good. */
  readonly isContent?: boolean;
}

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
  /** One cell, told how many bytes of the layer are done; threads may share it. */
  readonly done?: Float64Array | undefined;
}

export interface Built {
  /** Path of the bootstrap. */
  readonly bootstrap: string;
  /** Ids, in the order of the device table. */
  readonly blobs: readonly string[];
  /** Bytes of the tar. */
  readonly blobSize: number;
}

type Plain = Extract<Layer, { kind: "plain" }>;
type Stream = Extract<Layer, { kind: "stream" }>;

/** An image of one layer. */
export interface Created extends Built {
  /** The layer's blob id, also when no file needs its blob. */
  readonly id: string;
  /** The layer is its own tar; else the tar was written to the blob directory. */
  readonly isPlain: boolean;
}

interface Indexed {
  readonly tree: Tree;
  readonly blob: Blob;
}

/**
 * Builds the bootstrap of one layer. Of a seekable tar only headers are read; what comes compressed or through a
 * pipe is written, uncompressed, into the blob directory while it is indexed.
 *
 * @throws FormatError naming entry and offset, StartError, or a system error; nothing is left behind then
 */
export async function createImage(request: CreateRequest): Promise<Created> {
  const layer = await openLayer(request.layer);
  const { tree, blob } = await (layer.kind === "plain"
    ? indexFile(request, layer)
    : indexStream(request, layer));
  return { ...finishImage(request, tree, [blob]), id: blob.id, isPlain: layer.kind === "plain" };
}

/** Plans, writes and places the bootstrap of a tree whose files lie in `blobs`. */
export function finishImage(options: BuildOptions, tree: Tree, blobs: readonly Blob[]): Built {
  const plan = planImage(tree, blobs, options.chunkSize, prefetchNodes(tree, options.prefetch));
  const image = writeImage(plan, options);
  const path = options.bootstrap ?? join(mustHave(options.blobDir), sha256(image));
  const file = new AtomicFile(path);
  try {
    file.write(image);
    file.commit(path, options.bootstrap === undefined || options.isContent);
  } finally {
    file.discard();
  }
  return {
    bootstrap: path,
    blobs: plan.blobs.map(({ id }) => id),
    blobSize: blobs.reduce((sum, { size }) => sum + size, 0),
  };
}

async function indexFile(request: CreateRequest, { fd, at, size }: Plain): Promise<Indexed> {
  const hashing =
    request.blobId === undefined ? startHashing({ fd, at, size, done: request.done }) : undefined;
  try {
    const index = new Index(request, fd, at);
    index.read(size, true);
    const tree = index.tar.finish();
    const id = request.blobId ?? (await hashing?.digest) ?? "";
    if (request.blobDir !== undefined && request.blobLink === "hard")
      placeBlob(request.layer.path, request.blobDir, id);
    return { tree, blob: { id, size } };
  } finally {
    await hashing?.stop();
    closeSync(fd);
  }
}

async function indexStream(request: CreateRequest, stream: Stream): Promise<Indexed> {
  let index: Index | undefined;
  const blob = await storeBlob(stream, mustHave(request.blobDir), {
    id: request.blobId,
    done: request.done,
    grown: (fd, size, isEnd) => {
      index ??= new Index(request, fd);
      index.read(size, isEnd);
      if (isEnd) index.tar.finish();
    },
  });
  if (index === undefined) throw new TypeError("a stream that never ended");
  return { tree: (index as Index).tar.tree, blob };
}

/** Takes the entries of a tar that may still be growing into a tree. */
class Index {
  readonly tar: TarTree;
  private readonly reader: TarReader;
  private isOver = false;

  constructor({ layer: { name }, ignoreZeros, warn }: CreateRequest, fd: number, at = 0) {
    this.tar = new TarTree(name);
    const options = { ignoreZeros, warn: (message: string) => warn(`${name}: ${message}`) };
    this.reader = new TarReader(new FileBytes(fd, name, at), name, options);
  }

  /** Reads as far as `limit` bytes of the tar allow. */
  read(limit: number, isEnd: boolean): void {
    while (!this.isOver) {
      const entry = this.reader.next(limit, isEnd);
      if (entry === "more") return;
      if (entry === undefined) this.isOver = true;
      else this.tar.add(entry);
    }
  }
}

function mustHave(dir: string | undefined): string {
  if (dir === undefined)
    throw new StartError(
      "a layer that is compressed or comes through a pipe needs --blob-dir to be written to",
    );
  return dir;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
