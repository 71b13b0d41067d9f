import { closeSync } from "node:fs";
import { join } from "node:path";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { OperationalError } from "../bytes/errors.ts";
import { type Layer, openLayer } from "../tar/source.ts";
import type { LayerRequest } from "./create.ts";
import { Hashing } from "./hash.ts";
import { placeBlob } from "./place-blob.ts";
import { StoredStream, type Stream } from "./stored-stream.ts";

/** The tar of a layer that is being built: a file that is read where it lies, or what a stream is written to. */
export interface LayerTar {
  /** Open for reading; the tar begins at byte `at` of it. */
  readonly fd: number;
  readonly at: number;
  /** The layer is its own tar; else the tar is written to the blob directory. */
  readonly isPlain: boolean;
  /**
   * Waits until all of the tar is there.
   *
   * @param grown told how many bytes of it can be read, whenever there are more
   * @returns bytes
   */
  whole(grown: (size: number) => void): Promise<number>;
  /** Waits for its id: the one that was given, or the sha256 of all its bytes. */
  id(): Promise<string>;
  /** Gives it its name in the blob directory, where it is to have one; the name is not on disk yet. */
  place(id: string): void;
  /** To be called in any case: what has no name by then is removed. */
  close(): Promise<void>;
}

/** @throws OperationalError, or a system error naming the layer */
export async function openTar(request: LayerRequest): Promise<LayerTar> {
  const layer = await openLayer(request.layer);
  if (layer.kind === "plain") return new PlainTar(layer, request);
  const { blobDir } = request;
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

class PlainTar implements LayerTar {
  readonly fd: number;
  readonly at: number;
  readonly isPlain = true;
  private readonly size: number;
  private readonly request: LayerRequest;
  private readonly hashing: Hashing | undefined;

  constructor({ fd, at, size }: Extract<Layer, { kind: "plain" }>, request: LayerRequest) {
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
    const { layer, blobDir, blobLink } = this.request;
    if (blobDir !== undefined && blobLink === "hard") placeBlob(layer.path, blobDir, id);
  }

  async close(): Promise<void> {
    await this.hashing?.stop();
    closeSync(this.fd);
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

  constructor(stream: Stream, request: LayerRequest, blobDir: string) {
    const { blobId, done, unsynced } = request;
    this.request = request;
    this.blobDir = blobDir;
    this.file = new AtomicFile(join(blobDir, "blob"), unsynced === undefined);
    this.fd = this.file.fd;
    this.stored = new StoredStream(stream, this.file, blobId === undefined, done);
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
    if (isLinkAsked)
      warn(`--blob-link has no effect on ${layer.name}, which is compressed or comes through a pipe`);
    this.file.commit(join(this.blobDir, id + (unsynced ?? "")), blobId === undefined, false);
  }

  async close(): Promise<void> {
    await this.stored.close();
    this.file.discard();
  }
}
