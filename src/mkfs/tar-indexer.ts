import { setImmediate } from "node:timers/promises";
import type { TarEntry } from "../tar/entry.ts";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { FileBytes } from "../tar/file-bytes.ts";
import { ArchiveMembers } from "../tar/image-archive.ts";
import { TarReader } from "../tar/reader.ts";
import type { LayerRequest } from "./create.ts";
import type { LayerTar } from "./layer-tar.ts";
import { mustBeEmptyTar, refuseOtherKind } from "./no-tar.ts";

/** @see https://github.com/containerd/stargz-snapshotter/blob/main/docs/estargz.md (external TOC) */
const STARGZ_TOC = Buffer.from("stargz.index.json");

/** How long it reads before the event loop has its turn, and how often it looks at the time. */
const TURN_MS = 100;
const ENTRIES_A_LOOK = 256;
/** A layer of more entries takes longer than a moment to be planned and written: a hundred thousand take half a second. */
const MANY = 50_000;

/** Takes the entries of a tar that may still be growing; only headers are read. */
export class TarIndexer {
  /** Of a layer that is not known to be one. */
  readonly members: ArchiveMembers;
  private readonly reader: TarReader;
  private readonly request: LayerRequest;
  private readonly tar: LayerTar;
  private readonly take: (entry: TarEntry) => void;
  private isOver = false;
  private count = 0;
  private first: Uint8Array | undefined;

  /**
   * @param warn told of what is odd, without the layer's name
   * @param take given each entry
   */
  constructor(
    request: LayerRequest,
    tar: LayerTar,
    warn: (message: string) => void,
    take: (entry: TarEntry) => void,
  ) {
    this.take = take;
    this.request = request;
    this.tar = tar;
    this.members = new ArchiveMembers(tar.at);
    const { name } = request.layer;
    this.reader = new TarReader(tar.bytes ?? new FileBytes(tar.fd, name, tar.at), name, {
      ...request,
      warn,
      pauses: true,
    });
  }

  /** Reads on while the tar grows, for a moment: the rest comes with the next call. @throws as `readWhole` */
  readOn(limit: number): void {
    this.read(limit, false);
  }

  /**
   * Reads all of it; signals are heard meanwhile.
   *
   * @throws FormatError naming entry and offset; OperationalError when it is something else than a tar
   */
  async readWhole(size: number): Promise<void> {
    while (!this.read(size, true)) await setImmediate();
  }

  /** @returns whether it came as far as `limit` bytes of the tar allow */
  private read(limit: number, isEnd: boolean): boolean {
    const { request, reader, tar } = this;
    const { layer, isOfImage = false } = request;
    const part = { at: tar.at, size: limit };
    try {
      const isDone = this.takeEntries(limit, isEnd);
      tar.bytes?.forget?.(reader.position);
      if (!isDone) return false;
    } catch (error) {
      if (reader.isBlank && error instanceof FormatError) refuseOtherKind(tar.fd, part, layer.name);
      throw error;
    }
    if (isEnd && this.count === 1 && this.first !== undefined && STARGZ_TOC.equals(this.first))
      throw new OperationalError(
        `${layer.name}: a table of contents of an eStargz layer, which is elsewhere: nothing but ${STARGZ_TOC} is in it`,
      );
    if (reader.isBlank) mustBeEmptyTar(tar.fd, part, layer.name, { isEnd, isOfImage });
    return true;
  }

  /** Whether what comes after reading takes so long that a signal would have to wait. */
  get isLong(): boolean {
    return this.count > MANY;
  }

  private takeEntries(limit: number, isEnd: boolean): boolean {
    const until = performance.now() + TURN_MS;
    while (!this.isOver) {
      if (this.count % ENTRIES_A_LOOK === 0 && performance.now() > until) return false;
      const entry = this.reader.next(limit, isEnd);
      if (entry === "more") return !isEnd;
      if (entry === undefined) this.isOver = true;
      else {
        this.count++;
        this.first ??= entry.path;
        if (!this.request.isOfImage && !this.members.isFull) this.members.add(entry);
        this.take(entry);
      }
    }
    return true;
  }
}
