import { NARROW, readNumber, showField } from "./number.ts";

/** Headers are blocks of 512 bytes, and so is all else in a tar. */
export const BLOCK = 512;
export const CHECKSUM = 148; // 8  sum of the header's bytes, these 8 taken as spaces
/** 16-bit lanes: 128 words of two bytes each stay below 65,536. */
const LANES = 0x00ff00ff;

/** A copy of one header, so that it stays while other bytes are looked at. One for all headers of a tar. */
export class HeaderBlock {
  readonly bytes = new Uint8Array(BLOCK);
  private readonly words = new Int32Array(this.bytes.buffer);
  /** Of all bytes as unsigned numbers: 0 for a block of zeros and nothing else. */
  private sum = 0;

  set(block: Uint8Array): void {
    this.bytes.set(block);
    // Four bytes at a time, and most are zeros: this loop is a third of the work on a tar.
    const { words } = this;
    let even = 0;
    let odd = 0;
    for (let i = 0; i < BLOCK / 4; i++) {
      const word = words[i] as number; // there are BLOCK / 4
      if (word === 0) continue;
      even += word & LANES;
      odd += (word >>> 8) & LANES;
    }
    this.sum = (even & 0xffff) + (even >>> 16) + (odd & 0xffff) + (odd >>> 16);
  }

  get isZero(): boolean {
    return this.sum === 0;
  }

  /**
   * What is wrong with the checksum, if anything.
   *
   * Some early writers (Sun, old GNU tar) summed bytes up as signed, which differs for names beyond ASCII.
   */
  checksumProblem(): string | undefined {
    const h = this.bytes;
    let want = this.sum + NARROW * 0x20;
    for (let i = CHECKSUM; i < CHECKSUM + NARROW; i++) want -= h[i] as number; // of BLOCK bytes
    const stored = readNumber(h, CHECKSUM, NARROW);
    if (stored === want) return undefined;
    let signed = want;
    for (const [i, byte] of h.entries())
      if (byte > 0x7f && (i < CHECKSUM || i >= CHECKSUM + NARROW)) signed -= 0x100;
    if (stored === signed) return undefined;
    const found = showField(h, CHECKSUM, NARROW);
    return `header checksum is ${found}, want ${want.toString(8)}: compressed, damaged, or no tar`;
  }
}
