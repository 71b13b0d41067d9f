import { areForgotten } from "../fuse/nlookup.ts";
import { evictions } from "./invalidations.ts";
import type { Publisher } from "./publisher.ts";
import type { ImageInstance } from "./image-instance.ts";

/** Between two looks at whether the kernel has forgotten images. */
const LOOK_MS = 100;
/** After how many of them it is asked to forget what nobody uses; then after twice as many, up to a bound. */
const FIRST_ASK = 10;
const MAX_ASK = 600;

/** Images that were at one place, one after the other, and are not shown any more. */
interface Group {
  readonly instances: readonly ImageInstance[];
  /** Looks since the kernel was asked. */
  looks: number;
  ask: number;
  /** It is being asked. */
  isAsked: boolean;
}

/**
 * Images that are not shown any more, until the kernel has forgotten the last of their nodes. Those that took each
 * other's place go together: who is inside one is told of nodes by the names of those before it.
 */
export class ReleaseQueue {
  private readonly groups = new Set<Group>();
  private readonly publisher: Pick<Publisher, "notify">;
  private readonly free: (instances: readonly ImageInstance[]) => Promise<void>;
  private readonly failed: (error: unknown) => void;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param free gives images up that nobody can ask for any more
   * @param failed called when that, or having the kernel forget one, fails
   */
  constructor(
    publisher: Pick<Publisher, "notify">,
    free: (instances: readonly ImageInstance[]) => Promise<void>,
    failed: (error: unknown) => void,
  ) {
    this.publisher = publisher;
    this.free = free;
    this.failed = failed;
  }

  add(instances: readonly ImageInstance[]): void {
    this.groups.add({ instances, looks: 0, ask: FIRST_ASK, isAsked: false });
    this.timer ??= setInterval(() => this.look(), LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const gone = [...this.groups].filter(({ instances }) =>
      areForgotten(instances.map(({ shared }) => shared.nlookup)),
    );
    for (const group of gone) {
      this.groups.delete(group);
      this.free(group.instances).catch(this.failed); // one that takes long keeps nobody waiting
    }
    for (const group of this.groups) this.ask(group).catch(this.failed);
    if (this.groups.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async ask(group: Group): Promise<void> {
    if (group.isAsked || ++group.looks < group.ask) return;
    group.looks = 0;
    group.ask = Math.min(2 * group.ask, MAX_ASK);
    group.isAsked = true;
    try {
      for (const instance of group.instances)
        await this.publisher.notify(evictions(instance, group.instances));
    } finally {
      group.isAsked = false;
    }
  }
}
