import { join } from "node:path";
import { AtomicFile } from "../atomic-file/atomic-file.ts";

/** Blobs that a build writes. They get their names together, once nothing can fail but that: see `placeImage`. */
export class NewBlobs {
  private readonly files: AtomicFile[] = [];
  private readonly steps: (() => void)[] = [];

  /** A file without its name yet. */
  create(dir: string, isDurable: boolean): AtomicFile {
    const file = new AtomicFile(join(dir, "blob"), isDurable);
    this.files.push(file);
    return file;
  }

  /** @param step gives a blob its name */
  onPlace(step: () => void): void {
    this.steps.push(step);
  }

  place(): void {
    for (const step of this.steps) step();
  }

  /** Removes what has no name yet. */
  discard(): void {
    for (const file of this.files) file.discard();
  }
}
