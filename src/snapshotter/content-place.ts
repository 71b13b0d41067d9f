import { messageOf } from "../bytes/errors.ts";
import type { Containerd } from "../containerd/client.ts";
import type { Logger } from "../log/log.ts";

/** Where containerd keeps blobs as files, asked once it answers. */
export class ContentPlace {
  private readonly containerd: Containerd;
  private readonly log: Logger;
  private found: string | undefined;

  constructor(containerd: Containerd, log: Logger) {
    this.containerd = containerd;
    this.log = log;
  }

  /** @returns undefined when it does not say: a store of another process is read over the socket */
  async root(signal: AbortSignal): Promise<string | undefined> {
    if (this.found !== undefined) return this.found;
    try {
      const plugins = await this.containerd.plugins("type==io.containerd.content.v1", signal);
      this.found = plugins.map(({ exports }) => exports["root"]).find((root) => root !== undefined);
    } catch (error) {
      this.log.warn(`${this.containerd.address}: where blobs lie: ${messageOf(error)}`);
    }
    return this.found;
  }
}
