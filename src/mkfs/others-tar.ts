import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import type { PlainLayer } from "../tar/source.ts";
import { WindowBytes } from "../tar/window-bytes.ts";
import type { LayerRequest } from "./create.ts";
import type { LayerTar } from "./layer-tar.ts";
import type { Copy } from "./side-blob.ts";

/** Read at once: what was read is still in the CPU's cache when it is hashed, see hash-file. */
const STEP = 128 << 10;
/** Steps between two looks at what else there is to do: signals. */
const STEPS_A_TURN = 64;

/**
 * A tar that others may write to while it is read. Its index is made of the very bytes that are hashed, in one reading: else the
 * index of other bytes could come to lie under the sha256 of a well-known layer.
 */
export class OthersTar implements LayerTar {
  readonly fd: number;
  readonly at: number;
  readonly isPlain = true;
  readonly bytes: WindowBytes;
  private readonly layer: PlainLayer;
  private readonly size: number;
  private readonly request: LayerRequest;
  private digest = "";

  constructor(layer: PlainLayer, request: LayerRequest) {
    const { fd, at, size } = layer;
    this.layer = layer;
    this.fd = fd;
    this.at = at;
    this.size = size;
    this.request = request;
    this.bytes = new WindowBytes(request.layer.name);
  }

  async whole(grown: (size: number) => void): Promise<number> {
    const { done } = this.request;
    this.digest = await this.hashed((chunk, at) => {
      this.bytes.add(chunk);
      grown(at + chunk.length);
      if (done !== undefined) done[0] = at + chunk.length;
    });
    return this.size;
  }

  async id(): Promise<string> {
    return this.request.blobId ?? this.digest;
  }

  /** A second reading that has to find the same bytes, those that were copied among them. */
  async proveCopies(copies: readonly Copy[], side: number): Promise<void> {
    const sorted = copies.toSorted((a, b) => a.dataAt - b.dataAt);
    const copied = new Uint8Array(STEP);
    let first = 0;
    let isSame = true;
    const digest = await this.hashed((chunk, at) => {
      const end = at + chunk.length;
      while (first < sorted.length && sorted[first].dataAt + sorted[first].length <= at) first++;
      for (let i = first; i < sorted.length && sorted[i].dataAt < end; i++) {
        const { dataAt, sideAt, length } = sorted[i];
        const from = Math.max(at, dataAt);
        const bytes = chunk.subarray(from - at, Math.min(end, dataAt + length) - at);
        const n = readSync(side, copied, 0, bytes.length, sideAt + from - dataAt);
        isSame &&= n === bytes.length && Buffer.compare(bytes, copied.subarray(0, n)) === 0;
      }
    });
    if (!isSame || digest !== this.digest)
      throw new OperationalError(`${this.request.layer.name}: changed while it was read`);
  }

  /** It is not put into a blob directory: see `openTar`. */
  place(): void {}

  async close(): Promise<void> {
    this.layer.close();
  }

  /** @param each told of all bytes, in their order @returns their sha256 */
  private async hashed(each: (chunk: Uint8Array, at: number) => void): Promise<string> {
    const hash = createHash("sha256");
    const buffer = new Uint8Array(STEP);
    let steps = 0;
    for (let at = 0; at < this.size; ) {
      const n = readSync(this.fd, buffer, 0, Math.min(STEP, this.size - at), this.at + at);
      if (n === 0)
        throw new FormatError("the tar became shorter while it was read", {
          file: this.request.layer.name,
          at: this.at + at,
        });
      const chunk = buffer.subarray(0, n);
      hash.update(chunk);
      each(chunk, at);
      at += n;
      if (++steps % STEPS_A_TURN === 0) await setImmediate();
    }
    return hash.digest("hex");
  }
}
