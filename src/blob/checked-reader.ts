import { BlockChecker, type VerityTree } from "../verity/block-checker.ts";
import { readExactly } from "./read-exactly.ts";

/** Told of a block that is not what the hash tree says, once for each, whichever thread found it. */
export type OnCorrupt = (address: number, length: number, problem: string) => void;

/** Holds what one thread reads of a file to a hash tree: each block when it is read first, by any thread. */
export class CheckedReader {
  private readonly checker: BlockChecker;
  private readonly block: Uint8Array;
  private readonly onCorrupt: OnCorrupt | undefined;
  private fd = -1;

  /** @param onCorrupt undefined: what is found is left for another thread to tell */
  constructor(tree: VerityTree, onCorrupt: OnCorrupt | undefined) {
    this.checker = new BlockChecker(tree, (at, into, to, length) =>
      readExactly(tree.fd ?? this.fd, at, into, to, length),
    );
    this.block = new Uint8Array(this.checker.blockSize);
    this.onCorrupt = onCorrupt;
  }

  /**
   * @param fd where `[address, address + length)` was read from, into `out[at…]`
   * @returns whether all of it is what the tree says; a block of which a part is wanted is read anew
   * @throws when tree or data cannot be read
   */
  check(fd: number, address: number, length: number, out: Uint8Array, at: number): boolean {
    const { blockSize } = this.checker;
    const end = Math.ceil((address + length) / blockSize);
    this.fd = fd;
    for (let block = Math.floor(address / blockSize); block < end; block++) {
      if (this.checker.isKnown(block)) continue;
      const from = block * blockSize - address;
      const isWhole = from >= 0 && from + blockSize <= length;
      if (isWhole ? !this.isRight(block, out.subarray(at + from, at + from + blockSize)) : !this.part(block))
        return false;
      if (isWhole) continue;
      const first = Math.max(0, -from);
      const last = Math.min(blockSize, length - from);
      for (let i = first; i < last; i++) out[at + from + i] = this.block[i] as number; // of the whole block
    }
    return true;
  }

  private part(block: number): boolean {
    readExactly(this.fd, block * this.block.length, this.block, 0, this.block.length);
    return this.isRight(block, this.block);
  }

  private isRight(block: number, bytes: Uint8Array): boolean {
    if (this.checker.isRight(block, bytes)) return true;
    if (this.onCorrupt !== undefined && this.checker.isNews(block))
      this.onCorrupt(block * bytes.length, bytes.length, this.checker.problem(block));
    return false;
  }
}
