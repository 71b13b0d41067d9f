import { stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf } from "../bytes/errors.ts";
import type { Containerd } from "../containerd/client.ts";
import type { Logger } from "../log/log.ts";

/** Where containerd keeps blobs as files. */
export class ContentPlace {
  private readonly containerd: Containerd;
  private readonly log: Logger;
  private found: string | undefined;

  constructor(containerd: Containerd, log: Logger) {
    this.containerd = containerd;
    this.log = log;
  }

  /**
   * It is asked again when the blob is not where others were: it may have been set up anew meanwhile.
   *
   * @returns undefined when there is no such file: a store of another process is read over the socket
   */
  async fileOf(digest: string, signal: AbortSignal): Promise<string | undefined> {
    const known = await this.fileIn(digest);
    if (known !== undefined) return known;
    await this.look(signal);
    return this.fileIn(digest);
  }

  private async fileIn(digest: string): Promise<string | undefined> {
    if (this.found === undefined) return undefined;
    const file = join(this.found, "blobs", ...digest.split(":"));
    try {
      await stat(file);
      return file;
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
      throw error;
    }
  }

  private async look(signal: AbortSignal): Promise<void> {
    try {
      const plugins = await this.containerd.plugins("type==io.containerd.content.v1", signal);
      this.found = plugins.map(({ exports }) => exports["root"]).find((root) => root !== undefined);
    } catch (error) {
      this.log.warn(`${this.containerd.address}: where blobs lie: ${messageOf(error)}`);
    }
  }
}
