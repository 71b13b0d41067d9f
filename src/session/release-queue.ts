import { messageOf } from "../bytes/errors.ts";
import { areForgotten } from "../fuse/nlookup.ts";
import type { Logger } from "../log/log.ts";
import type { Clock } from "./clock.ts";
import type { ImageInstance } from "./image-instance.ts";

/** Between two looks at whether the kernel has forgotten images. */
const LOOK_MS = 100;
/** After how many looks the kernel is asked to forget what is not in use; then after twice as many, up to a bound. */
const FIRST_ASK = 10;
const MAX_ASK = 600;

/** What a release queue works with. */
export interface ReleaseQueueDeps {
  /** Asks the kernel to forget what it knows of the images and is not in use. Resolves when it has acted upon that. */
  readonly evict: (instances: readonly ImageInstance[]) => Promise<void>;
  /** Gives images up that the kernel can ask for no more. */
  readonly free: (instances: readonly ImageInstance[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Images that were at one path, one after the other, and are not shown any more. */
interface Group {
  readonly instances: readonly ImageInstance[];
  looksSinceAsked: number;
  askAfter: number;
  isAsking: boolean;
}

/**
 * Images that are not shown any more, until the kernel has forgotten the last of their nodes. Images that replaced one
 * another are released as a group: the kernel may know nodes of the newer image under node ids of the older.
 */
export class ReleaseQueue {
  private readonly deps: ReleaseQueueDeps;
  private readonly groups = new Set<Group>();
  private cancel: (() => void) | undefined;
  private isClosed = false;

  constructor(deps: ReleaseQueueDeps) {
    this.deps = deps;
  }

  add(instances: readonly ImageInstance[]): void {
    this.groups.add({ instances, looksSinceAsked: 0, askAfter: FIRST_ASK, isAsking: false });
    if (this.cancel === undefined) this.lookLater();
  }

  close(): void {
    this.isClosed = true;
    this.cancel?.();
  }

  private lookLater(): void {
    if (!this.isClosed) this.cancel = this.deps.clock.after(LOOK_MS, () => this.look());
  }

  private look(): void {
    this.cancel = undefined;
    for (const group of this.groups) {
      if (!areForgotten(group.instances.map(({ shared }) => shared.nlookup))) continue;
      this.groups.delete(group);
      // Not waited for: a group that takes long must not keep others.
      this.run("give an image up", this.deps.free(group.instances));
    }
    for (const group of this.groups) this.run("have the kernel forget an image", this.ask(group));
    if (this.groups.size > 0 && this.cancel === undefined) this.lookLater();
  }

  private async ask(group: Group): Promise<void> {
    if (group.isAsking || ++group.looksSinceAsked < group.askAfter) return;
    group.looksSinceAsked = 0;
    group.askAfter = Math.min(2 * group.askAfter, MAX_ASK);
    group.isAsking = true;
    try {
      await this.deps.evict(group.instances);
    } finally {
      group.isAsking = false;
    }
  }

  /** A failure costs the memory of images that stay; the session serves on. */
  private run(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => this.deps.log.error(`cannot ${what}: ${messageOf(error)}`));
  }
}
