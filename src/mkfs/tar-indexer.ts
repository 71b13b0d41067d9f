import { FileBytes } from "../tar/file-bytes.ts";
import { TarReader } from "../tar/reader.ts";
import type { LayerRequest } from "./create.ts";
import { TarTree } from "./from-tar.ts";
import type { LayerTar } from "./layer-tar.ts";

/** Takes the entries of a tar that may still be growing into a tree; only headers are read. */
export class TarIndexer {
  readonly entries: TarTree;
  private readonly reader: TarReader;
  private isOver = false;

  constructor(request: LayerRequest, { fd, at }: LayerTar) {
    const { name } = request.layer;
    const warn = (message: string) => request.warn(`${name}: ${message}`);
    this.entries = new TarTree(name, { ...request, warn });
    this.reader = new TarReader(new FileBytes(fd, name, at), name, { ...request, warn });
  }

  /**
   * Reads as far as `limit` bytes of the tar allow.
   *
   * @param isEnd there are no more
   * @throws FormatError naming entry and offset
   */
  read(limit: number, isEnd: boolean): void {
    while (!this.isOver) {
      const entry = this.reader.next(limit, isEnd);
      if (entry === "more") return;
      if (entry === undefined) this.isOver = true;
      else this.entries.add(entry);
    }
  }
}
