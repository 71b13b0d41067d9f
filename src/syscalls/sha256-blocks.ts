import { hash } from "node:crypto";
import { addressOf, libraryFunction } from "./system-call.ts";

/** `SHA256_CTX` of openssl/sha.h: eight words of state, which are the digest in the end, then what only libcrypto needs. */
const CONTEXT_WORDS = 28;
const STATE_WORDS = 8;
const CHUNK = 64;
const DIGEST_SIZE = 32;
const NUMBER = "size_t";

/**
 * SHA-256 of many blocks of one length, each behind the same salt, by one call of libcrypto a block: that of Node's own costs twice
 * the digest of 512 bytes (0055). Blocks lie side by side, so what SHA-256 ends a message with is written behind each, onto the
 * next one, whose digest is there already: they are taken from the last to the first.
 */
export class Sha256Blocks {
  private readonly update: (context: number, bytes: number, length: number) => number;
  private readonly context = new Uint32Array(new ArrayBuffer(4 * CONTEXT_WORDS));
  private readonly contextAt = Number(addressOf(new Uint8Array(this.context.buffer)));
  /** The context behind the salt. */
  private readonly begun: Uint32Array;
  /** Words of the context that are not the same again after a block. */
  private readonly changed: number;
  private readonly padding: Uint32Array;
  private readonly paddingAt: number;
  private readonly size: number;
  private words: Uint32Array = new Uint32Array(0);
  private dataAt = 0;

  private constructor(
    init: (context: number) => number,
    update: Sha256Blocks["update"],
    salt: Uint8Array,
    size: number,
  ) {
    this.update = update;
    this.size = size;
    this.padding = paddingOf(salt.length + size);
    this.paddingAt = Number(addressOf(new Uint8Array(this.padding.buffer)));
    this.changed = salt.length % CHUNK === 0 ? STATE_WORDS : CONTEXT_WORDS;
    init(this.contextAt);
    const salted = new Uint8Array(new ArrayBuffer(salt.length + 1));
    salted.set(salt);
    update(this.contextAt, Number(addressOf(salted)), salt.length);
    this.begun = this.context.slice();
  }

  /**
   * @param size bytes of a block
   * @returns undefined when system calls are not loaded, or this Node's libcrypto has no such function, or another one
   */
  static of(salt: Uint8Array, size: number): Sha256Blocks | undefined {
    const init = libraryFunction("SHA256_Init", [NUMBER]);
    const update = libraryFunction("SHA256_Update", [NUMBER, NUMBER, NUMBER]);
    // What ends a message is written by words.
    if (init === undefined || update === undefined || salt.length % 4 !== 0) return undefined;
    const made = new Sha256Blocks(init, update, salt, size);
    return made.isRight(salt) ? made : undefined;
  }

  /** The layout of a structure that is not ours is believed when it leads to what Node says. */
  private isRight(salt: Uint8Array): boolean {
    const data = new Uint8Array(new ArrayBuffer(2 * this.size)).map((_, i) => i * 7);
    const wanted = Buffer.concat(
      [0, this.size].map((at) =>
        hash("sha256", Buffer.concat([salt, data.subarray(at, at + this.size)]), "buffer"),
      ),
    );
    const out = new DataView(new ArrayBuffer(2 * DIGEST_SIZE));
    this.begin(data);
    for (const block of [1, 0]) this.put(block, block === 1, out, block * DIGEST_SIZE);
    return wanted.equals(new Uint8Array(out.buffer));
  }

  /**
   * What `put` is about from now on.
   *
   * @param data whole blocks, outside of V8's heap, at a multiple of 4 bytes
   */
  begin(data: Uint8Array): void {
    this.words = new Uint32Array(data.buffer, data.byteOffset, data.length / 4);
    this.dataAt = Number(addressOf(data));
  }

  /** Puts the digest of a block at a byte of `out`. What begins the next block is overwritten, unless this is the last one. */
  put(block: number, isLast: boolean, out: DataView, at: number): void {
    const { context, begun, padding, size } = this;
    const bytes = this.dataAt + block * size;
    // Loops: calls of `set` would be a tenth of the whole.
    for (let i = 0; i < this.changed; i++) context[i] = begun[i] as number; // as long
    if (isLast) {
      this.update(this.contextAt, bytes, size);
      this.update(this.contextAt, this.paddingAt, padding.length * 4);
    } else {
      const next = ((block + 1) * size) / 4;
      for (let i = 0; i < padding.length; i++) this.words[next + i] = padding[i] as number; // of its own length
      this.update(this.contextAt, bytes, size + padding.length * 4);
    }
    for (let i = 0; i < STATE_WORDS; i++) out.setUint32(at + 4 * i, context[i] as number); // it has 28
  }
}

/** What SHA-256 ends a message with: a bit, and zeros up to its length in bits; in words. Source: FIPS 180-4, 5.1.1. */
function paddingOf(length: number): Uint32Array {
  const bytes = new DataView(new ArrayBuffer(CHUNK - ((length + 8) % CHUNK) + 8));
  bytes.setUint8(0, 0x80);
  bytes.setUint32(bytes.byteLength - 4, length * 8);
  return new Uint32Array(bytes.buffer);
}
