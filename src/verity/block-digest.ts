import { hash } from "node:crypto";
import { DIGEST_SIZE } from "./hash-tree.ts";

/** Digests of blocks of one size, each of salt and block. */
export class BlockDigest {
  private readonly salted: Uint8Array;
  private readonly saltSize: number;
  private readonly size: number;
  private readonly zeros: Buffer;
  private zeroDigest: Uint8Array | undefined;

  /** @param size bytes of a block */
  constructor(salt: Uint8Array, size: number) {
    this.salted = new Uint8Array(salt.length + size);
    this.salted.set(salt);
    this.saltSize = salt.length;
    this.size = size;
    this.zeros = Buffer.alloc(size);
  }

  /** @returns valid until the next call */
  of(block: Uint8Array): Uint8Array {
    // A disk is zeros where nothing lies, and comparing is twenty times as fast as hashing.
    if (this.zeros.equals(block)) {
      this.zeroDigest ??= this.digest(block);
      return this.zeroDigest;
    }
    return this.digest(block);
  }

  /**
   * Puts digests of blocks side by side.
   *
   * @param data whole blocks
   */
  all(data: Uint8Array, out: Uint8Array, at: number): void {
    for (let done = 0, to = at; done < data.length; done += this.size, to += DIGEST_SIZE)
      out.set(this.of(data.subarray(done, done + this.size)), to);
  }

  private digest(block: Uint8Array): Uint8Array {
    if (this.saltSize === 0) return hash("sha256", block, "buffer");
    this.salted.set(block, this.saltSize);
    return hash("sha256", this.salted, "buffer");
  }
}
