import { read, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { strangerOf } from "../safe-open/strangers.ts";
import type { TarBytes } from "../tar/reader.ts";
import { openLayer, type PlainLayer } from "../tar/source.ts";
import type { LayerRequest } from "./create.ts";
import { Hashing } from "./hash.ts";
import { OthersTar } from "./others-tar.ts";
import { placePlain } from "./place-blob.ts";
import { ShortTar } from "./short-tar.ts";
import type { Copy } from "./side-blob.ts";
import { StoredStream, type Stream } from "./stored-stream.ts";

const READ = 256 << 10;

interface KeptBytes extends TarBytes {
  /** No byte below this one will be asked for. */
  forget?(below: number): void;
}

/** The tar of a layer that is being built: a file that is read where it lies, or what a stream is written to. */
export interface LayerTar {
  /** Open for reading; the tar begins at byte `at` of it. */
  readonly fd: number;
  readonly at: number;
  /** The layer is its own tar; else the tar is written to the blob directory. */
  readonly isPlain: boolean;
  /** Instead of reading the file, where others could change it meanwhile, or where all of it was read. */
  readonly bytes?: KeptBytes;
  /**
   * Waits until all of the tar is there.
   *
   * @param grown told how many bytes of it can be read, whenever there are more
   * @returns bytes
   */
  whole(grown: (size: number) => void): Promise<number>;
  /** Waits for its id: the one that was given, or the sha256 of all its bytes. */
  id(): Promise<string>;
  /**
   * Where others could change the file: compares what was copied of it.
   *
   * @param side descriptor of what it was copied into
   * @throws OperationalError when it has changed
   */
  proveCopies?(copies: readonly Copy[], side: number): Promise<void>;
  /** Gives it its name in the blob directory, where it is to have one; the name is not on disk yet. */
  place(id: string): void;
  /** To be called in any case: what has no name by then is removed. */
  close(): Promise<void>;
}

/** @throws OperationalError, or a system error naming the layer */
export async function openTar(request: LayerRequest): Promise<LayerTar> {
  const layer = await openLayer(request.layer, request.stdin);
  const { blobDir } = request;
  if (layer.kind === "plain") {
    const why = whyCopied(layer, request);
    if (blobDir !== undefined && why !== undefined)
      return new StreamedTar(streamOf(layer, request.layer.name), request, blobDir, `${why}: it is copied`);
    if (isOthers(layer)) return new OthersTar(layer, request);
    return layer.short === undefined
      ? new PlainTar(layer, request)
      : new ShortTar(layer, layer.short, request);
  }
  try {
    if (blobDir !== undefined) return new StreamedTar(layer, request, blobDir);
  } catch (error) {
    await layer.close();
    throw error;
  }
  await layer.close();
  throw new OperationalError(
    "a layer that is compressed or comes through a pipe needs --blob-dir to be written to",
  );
}

const isOthers = ({ stats }: PlainLayer): boolean => strangerOf(stats) !== undefined;

/**
 * Why a plain tar that the blob directory is to have cannot be linked there. The copy is made while it is read.
 *
 * @returns undefined when it can, perhaps, or nobody wants it there
 */
function whyCopied(layer: PlainLayer, { blobDir, blobLink, blobId }: LayerRequest): string | undefined {
  if (blobDir === undefined || blobLink === "none") return undefined;
  // Others could change it under its id: what the blob directory gets is a copy, and that is what is read.
  if (isOthers(layer)) return "which others may write to";
  if (blobId !== undefined) return undefined;
  const { dev } = statSync(blobDir, { throwIfNoEntry: false }) ?? layer.stats;
  return dev === layer.stats.dev ? undefined : "which lies on another file system";
}

class PlainTar implements LayerTar {
  readonly fd: number;
  readonly at: number;
  readonly isPlain = true;
  private readonly layer: PlainLayer;
  private readonly size: number;
  private readonly request: LayerRequest;
  private readonly hashing: Hashing | undefined;

  constructor(layer: PlainLayer, request: LayerRequest) {
    const { fd, at, size } = layer;
    this.layer = layer;
    this.fd = fd;
    this.at = at;
    this.size = size;
    this.request = request;
    this.hashing = request.blobId === undefined ? new Hashing(fd, at, request.done) : undefined;
    this.hashing?.grow(size);
  }

  async whole(): Promise<number> {
    return this.size;
  }

  async id(): Promise<string> {
    return this.request.blobId ?? this.hashing?.digest(this.size) ?? "";
  }

  place(id: string): void {
    placePlain(this.layer, this.request, id);
  }

  async close(): Promise<void> {
    await this.hashing?.stop();
    this.layer.close();
  }
}

class StreamedTar implements LayerTar {
  readonly fd: number;
  readonly at = 0;
  readonly isPlain = false;
  private readonly file: AtomicFile;
  private readonly stored: StoredStream;
  private readonly request: LayerRequest;
  private readonly blobDir: string;
  private readonly whyCopied: string;

  constructor(
    stream: Stream,
    request: LayerRequest,
    blobDir: string,
    whyCopied = "which is compressed or comes through a pipe",
  ) {
    this.whyCopied = whyCopied;
    const { blobId, done, unsynced, layer, maxLayerSize: maxSize } = request;
    this.request = request;
    this.blobDir = blobDir;
    this.file = new AtomicFile(join(blobDir, "blob"), unsynced === undefined);
    this.fd = this.file.fd;
    this.stored = new StoredStream(stream, this.file, {
      name: layer.name,
      isHashed: blobId === undefined,
      done,
      maxSize,
    });
  }

  whole(grown: (size: number) => void): Promise<number> {
    return this.stored.whole(grown);
  }

  async id(): Promise<string> {
    const sha256 = await this.stored.sha256();
    return this.request.blobId ?? sha256;
  }

  place(id: string): void {
    const { blobId, unsynced, isLinkAsked, layer, warn } = this.request;
    if (isLinkAsked) warn(`--blob-link has no effect on ${layer.name}, ${this.whyCopied}`);
    this.file.commit(join(this.blobDir, id + (unsynced ?? "")), blobId === undefined, false);
  }

  async close(): Promise<void> {
    await this.stored.close();
    this.file.discard();
  }
}

const readAt = promisify(read);

/** The bytes of a plain tar in their order. A stream of Node's own would close the descriptor when its reader stops early. */
function streamOf(layer: PlainLayer, name: string): Stream {
  const { fd, at, size } = layer;
  let taken = 0;
  let isOpen = true;
  let reading: Promise<unknown> | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    while (isOpen && taken < size) {
      const buffer = Buffer.allocUnsafe(Math.min(READ, size - taken));
      const step = readAt(fd, buffer, 0, buffer.length, at + taken);
      reading = step;
      const { bytesRead } = await step;
      if (bytesRead === 0)
        throw new FormatError("the tar became shorter while it was read", { file: name, at: at + taken });
      taken += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
  return {
    kind: "stream",
    chunks: chunks(),
    taken: () => taken,
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await reading?.catch(() => {});
      layer.close();
    },
  };
}
