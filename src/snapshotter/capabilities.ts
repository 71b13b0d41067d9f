import { messageOf } from "../bytes/errors.ts";
import type { Containerd } from "../containerd/client.ts";
import { refuse } from "../containerd/refusal.ts";

/** For containerd to say what it knows: it waits for this very answer. */
const ANSWER_MS = 5_000;

/** What containerd was told that this snapshotter can: it is in containerd's configuration. */
export class Capabilities {
  private readonly containerd: Containerd;
  private readonly roots: readonly string[];

  /** @param roots names of the root, by which our own entry is found among those of other snapshotters: it is exported there */
  constructor(containerd: Containerd, roots: readonly string[]) {
    this.containerd = containerd;
    this.roots = roots;
  }

  /**
   * Whether containerd maps ids of mounts itself. It says which ids in either case, also where it has shifted the
   * owners of a whole tree already.
   *
   * @throws Refusal "unavailable" when it does not answer: a wrong guess gives files other owners
   */
  async mapsIds(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const plugins = await this.containerd.plugins("type==io.containerd.snapshotter.v1", signal);
      return plugins.some(
        ({ exports, capabilities }) =>
          this.roots.includes(exports["root"] ?? "") && capabilities.includes("remap-ids"),
      );
    } catch (error) {
      const what = `what this snapshotter can, by ${this.containerd.address}`;
      throw refuse("unavailable", `${what}: ${messageOf(error)}`);
    }
  }
}
