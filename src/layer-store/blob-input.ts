import { createHash, getHashes } from "node:crypto";
import { Readable } from "node:stream";
import { BlobProblem, WrongBytes } from "./blob-problem.ts";
import type { BlobPiece } from "./tasks.ts";

/** The bytes of a blob in the thread that converts it, as they come by messages; held to the digest. */
export class BlobInput {
  readonly readable: Readable;
  private readonly hash: ReturnType<typeof createHash>;
  private readonly want: string;
  private readonly digest: string;
  private bytes = 0;

  /**
   * @param askForMore asks for one more piece
   * @throws BlobProblem when it is a digest that nobody can work out
   */
  constructor(digest: string, askForMore: () => void) {
    const [algorithm = "", want = ""] = digest.split(":");
    if (!getHashes().includes(algorithm)) throw new BlobProblem(`${digest}: a digest of an unknown kind`);
    this.digest = digest;
    this.want = want;
    this.hash = createHash(algorithm);
    this.readable = new Readable({ read: askForMore });
  }

  take(piece: BlobPiece): void {
    if ("lost" in piece) this.readable.destroy(new BlobProblem(piece.lost));
    else if ("end" in piece) this.readable.push(null);
    else {
      this.hash.update(piece.bytes);
      this.bytes += piece.bytes.length;
      this.readable.push(piece.bytes);
    }
  }

  /** Reads what nobody wanted: what follows the end of a tar belongs to the blob, too. @throws BlobProblem */
  async finish(size: number): Promise<void> {
    for await (const _ of this.readable);
    if (this.bytes !== size) throw new BlobProblem(`${this.digest}: ${this.bytes} bytes came, want ${size}`);
    const found = this.hash.digest("hex");
    if (found !== this.want)
      throw new WrongBytes(`${this.digest}: its bytes are damaged: their digest is ${found}`);
  }
}
