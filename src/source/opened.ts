import { closeSync } from "node:fs";
import { type LayerFile, openedFile } from "../tar/layer-file.ts";

/** Files that stay open while an image is made of them, and until it is mounted: what was looked at is what is read. */
export class Opened {
  private readonly fds: number[] = [];

  /**
   * @param fd closed with all others
   * @param path where it was found
   */
  keep(fd: number, path: string, name: string): LayerFile {
    this.fds.push(fd);
    return openedFile(fd, path, name);
  }

  close(): void {
    for (const fd of this.fds.splice(0)) closeSync(fd);
  }
}
