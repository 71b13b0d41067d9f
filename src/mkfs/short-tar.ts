import { hash } from "node:crypto";
import type { ShortBytes } from "../tar/short-bytes.ts";
import type { PlainLayer } from "../tar/source.ts";
import type { LayerRequest } from "./create.ts";
import type { LayerTar } from "./layer-tar.ts";
import { placePlain } from "./place-blob.ts";

/** A plain tar that was read in one go: its index is made of the very bytes that are hashed. */
export class ShortTar implements LayerTar {
  readonly fd: number;
  readonly at: number;
  readonly isPlain = true;
  readonly bytes: ShortBytes;
  private readonly layer: PlainLayer;
  private readonly request: LayerRequest;

  constructor(layer: PlainLayer, bytes: ShortBytes, request: LayerRequest) {
    this.layer = layer;
    this.fd = layer.fd;
    this.at = layer.at;
    this.bytes = bytes;
    this.request = request;
  }

  async whole(): Promise<number> {
    const { done } = this.request;
    if (done !== undefined) done[0] = this.layer.size;
    return this.layer.size;
  }

  async id(): Promise<string> {
    return this.request.blobId ?? hash("sha256", this.bytes.bytes, "hex");
  }

  place(id: string): void {
    placePlain(this.layer, this.request, id);
  }

  async close(): Promise<void> {
    this.layer.close();
  }
}
