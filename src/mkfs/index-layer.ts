import { closeSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { FileBytes } from "../tar/file-bytes.ts";
import { TarReader } from "../tar/reader.ts";
import { type Layer, openLayer } from "../tar/source.ts";
import type { CreateRequest } from "./create.ts";
import { TarTree } from "./from-tar.ts";
import { startHashing } from "./hash.ts";
import type { NewBlobs } from "./new-blobs.ts";
import { placeBlob } from "./place-blob.ts";
import type { Blob } from "./plan.ts";
import { storeStream } from "./store-stream.ts";
import type { Tree } from "./tree.ts";
import { writeSideBlob } from "./write-side-blob.ts";

/** What is made of a layer once all its headers were read; the id of its tar may come later. */
type Make<T> = (tree: Tree, blobs: readonly Blob[]) => T;

export interface Indexed<T> {
  /** What was made of its tree, while the tar was still being hashed. */
  readonly draft: T;
  /** The tar. */
  readonly blob: Blob;
  /** What of its sparse files had to be copied. */
  readonly side: Blob | undefined;
  /** The layer is its own tar; else the tar is written to the blob directory. */
  readonly isPlain: boolean;
}

type Plain = Extract<Layer, { kind: "plain" }>;
type Stream = Extract<Layer, { kind: "stream" }>;

/**
 * Reads the headers of a layer. Of a seekable tar nothing else is read; what comes compressed or through a pipe is
 * written, uncompressed, while it is indexed.
 *
 * @param made takes the blobs that are written
 * @param make is given blobs whose ids are filled in later
 * @throws FormatError naming entry and offset, StartError, or a system error
 */
export async function indexLayer<T>(
  request: CreateRequest,
  made: NewBlobs,
  make: Make<T>,
): Promise<Indexed<T>> {
  const layer = await openLayer(request.layer);
  return layer.kind === "plain"
    ? indexFile(request, layer, made, make)
    : indexStream(request, layer, made, make);
}

async function indexFile<T>(
  request: CreateRequest,
  { fd, at, size }: Plain,
  made: NewBlobs,
  make: Make<T>,
): Promise<Indexed<T>> {
  const { layer, blobDir, blobId, blobLink, done } = request;
  const hashing = blobId === undefined ? startHashing(fd, at, done) : undefined;
  try {
    const digest = hashing?.digest(size);
    const index = new Index(request, fd, at);
    index.read(size, true);
    const content = await index.finish(made, size, make);
    const { blob } = content;
    blob.id = blobId ?? (await digest) ?? "";
    if (blobDir !== undefined && blobLink === "hard")
      made.onPlace(() => placeBlob(layer.path, blobDir, blob.id));
    return { ...content, isPlain: true };
  } finally {
    await hashing?.stop();
    closeSync(fd);
  }
}

async function indexStream<T>(
  request: CreateRequest,
  stream: Stream,
  made: NewBlobs,
  make: Make<T>,
): Promise<Indexed<T>> {
  const { blobDir, blobId, done, unsynced } = request;
  try {
    if (blobDir === undefined)
      throw new StartError(
        "a layer that is compressed or comes through a pipe needs --blob-dir to be written to",
      );
    const file = made.create(blobDir, unsynced === undefined);
    const index = new Index(request, file.fd, 0);
    const { sha256, result: content } = await storeStream(stream, file, {
      isHashed: blobId === undefined,
      done,
      grown: (size) => index.read(size, false),
      whole: (size) => {
        index.read(size, true);
        return index.finish(made, size, make);
      },
    });
    const { blob } = content;
    blob.id = blobId ?? sha256;
    made.onPlace(() => file.commit(join(blobDir, blob.id + (unsynced ?? "")), blobId === undefined));
    return { ...content, isPlain: false };
  } finally {
    await stream.close();
  }
}

/** Takes the entries of a tar that may still be growing into a tree. */
class Index {
  private readonly request: CreateRequest;
  private readonly fd: number;
  private readonly at: number;
  private readonly tar: TarTree;
  private readonly reader: TarReader;
  private isOver = false;

  /** @param at where in the file the tar begins */
  constructor(request: CreateRequest, fd: number, at: number) {
    const {
      layer: { name },
      ignoreZeros,
      warn,
    } = request;
    this.request = request;
    this.fd = fd;
    this.at = at;
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

  /** What is made of the tree; its side blob is written if it needs one. */
  async finish<T>(made: NewBlobs, size: number, make: Make<T>): Promise<Content<T>> {
    const { layer, blobDir } = this.request;
    const tree = this.tar.finish();
    const blob = { id: "", size };
    const { side } = this.tar;
    if (side.first === undefined) return { draft: make(tree, [blob]), blob, side: undefined };
    if (blobDir === undefined)
      throw new StartError(
        `${layer.name}: sparse file "${showName(side.first)}" cannot be mapped to blocks of the tar: it needs --blob-dir for a side blob`,
      );
    const file = made.create(blobDir, true);
    const sideBlob = await writeSideBlob(side, { fd: this.fd, at: this.at, name: layer.name }, file);
    made.onPlace(() => file.commit(join(blobDir, sideBlob.id), true));
    return { draft: make(tree, [blob, sideBlob]), blob, side: sideBlob };
  }
}

/** The tar's id is still to come. */
interface Content<T> {
  readonly draft: T;
  readonly blob: { id: string; readonly size: number };
  readonly side: Blob | undefined;
}
