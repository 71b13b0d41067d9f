import { messageOf } from "../bytes/errors.ts";
import type { Containerd } from "../containerd/client.ts";
import type { Logger } from "../log/log.ts";

/** What containerd was told that this snapshotter can: it is in containerd's configuration. */
export class Capabilities {
  private readonly containerd: Containerd;
  private readonly root: string;
  private readonly log: Logger;

  /** @param root by which our own entry is found among those of other snapshotters: it is exported there */
  constructor(containerd: Containerd, root: string, log: Logger) {
    this.containerd = containerd;
    this.root = root;
    this.log = log;
  }

  /**
   * Whether containerd maps ids of mounts itself. It says which ids in either case, also where it has shifted the
   * owners of a whole tree already.
   */
  async mapsIds(): Promise<boolean> {
    try {
      const plugins = await this.containerd.plugins("type==io.containerd.snapshotter.v1");
      return plugins.some(
        ({ exports, capabilities }) => exports["root"] === this.root && capabilities.includes("remap-ids"),
      );
    } catch (error) {
      this.log.warn(`${this.containerd.address}: what this snapshotter can: ${messageOf(error)}`);
      return false;
    }
  }
}
