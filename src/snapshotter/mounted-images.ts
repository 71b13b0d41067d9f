import { mkdirSync } from "node:fs";
import { mkdir, readdir, rmdir, statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { messageOf } from "../bytes/errors.ts";
import { Semaphore } from "../bytes/semaphore.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import type { Logger } from "../log/log.ts";
import { isDeadMount } from "../mounts/dead.ts";
import { isImage, mountAt } from "../mounts/table.ts";
import { detach, unmount } from "../mounts/umount.ts";
import { type MountMeans, mountImage } from "./mount-image.ts";
import type { Tally } from "./tally.ts";

/** From the commit of a layer on, how long it is awaited that another one comes on top. */
const SETTLE_MS = 200;

/** Images made of layers: merged once, mounted once, for all containers; found again in the kernel's table of mounts. */
export class MountedImages {
  private readonly root: string;
  private readonly store: LayerStore;
  private readonly means: MountMeans;
  private readonly log: Logger;
  private readonly tally: Tally;
  private readonly underWay = new Map<string, Promise<string>>();
  private readonly turns = new Map<string, Semaphore>();
  /** After a reboot all images are asked for at once, each of which is checked by a thread, or served by a process. */
  private readonly mounting = new Semaphore(availableParallelism());
  private readonly awaited = new Map<string, NodeJS.Timeout>();
  /** Reasons why the kernel did not mount an image, that were said already. */
  private readonly said = new Set<string>();

  constructor(root: string, store: LayerStore, means: MountMeans, log: Logger, tally: Tally) {
    this.root = join(root, "mnt");
    mkdirSync(this.root, { recursive: true, mode: 0o711 });
    this.store = store;
    this.means = means;
    this.log = log;
    this.tally = tally;
  }

  /**
   * Where the image of these layers is mounted, which it is when this resolves.
   *
   * @param layers diffIDs, the lowest first; one at least
   * @param restore called before the layers are read
   * @throws OperationalError
   */
  mounted(layers: readonly string[], restore: () => Promise<void>): Promise<string> {
    const key = LayerStore.keyOf(layers);
    let mounting = this.underWay.get(key);
    if (mounting === undefined) {
      mounting = this.turnsOf(key)
        .run(() => this.findOrMount(layers, this.mountpoint(key), restore))
        .finally(() => this.underWay.delete(key));
      this.underWay.set(key, mounting);
    }
    return mounting;
  }

  /** Merges soon, before somebody asks, unless another layer comes on top. */
  expect(layers: readonly string[]): void {
    const key = LayerStore.keyOf(layers);
    clearTimeout(this.awaited.get(key));
    const begin = () => {
      this.awaited.delete(key);
      this.store
        .merge(layers, AbortSignal.any([]))
        .catch((error: unknown) => this.log.warn(`merge ${key}: ${messageOf(error)}`));
    };
    this.awaited.set(key, setTimeout(begin, SETTLE_MS));
  }

  /** There is a layer on top of these. */
  unexpect(layers: readonly string[]): void {
    const key = LayerStore.keyOf(layers);
    clearTimeout(this.awaited.get(key));
    this.awaited.delete(key);
  }

  /**
   * Unmounts and removes images that nobody needs.
   *
   * @param isNeeded asked again in the moment before one goes
   * @returns bytes of files that are gone
   */
  async removeOthers(isNeeded: (key: string) => boolean): Promise<number> {
    const { mounted, merged } = await this.others(isNeeded);
    for (const key of mounted)
      await this.turnsOf(key).run(async () => {
        if (this.isIdle(key, isNeeded)) await this.unmount(key);
      });
    let freed = 0;
    for (const key of merged)
      freed += await this.store.remove(
        "merged",
        key,
        () => !this.isIdle(key, isNeeded) || this.awaited.has(key),
      );
    return freed;
  }

  /** Keys of images that nobody needs: of mounts, and of bootstraps. */
  async others(
    isNeeded: (key: string) => boolean,
  ): Promise<{ readonly mounted: readonly string[]; readonly merged: readonly string[] }> {
    const isIdle = (key: string) => this.isIdle(key, isNeeded);
    const merged = [...this.store.allMerged()].map(({ key }) => key);
    return {
      mounted: (await this.mountpoints()).filter(isIdle),
      merged: merged.filter((key) => isIdle(key) && !this.awaited.has(key)),
    };
  }

  /** Keys of images that are mounted, or were. */
  mountpoints = (): Promise<string[]> => readdir(this.root);

  mountpoint = (key: string): string => join(this.root, key);

  close(): void {
    for (const timer of this.awaited.values()) clearTimeout(timer);
    this.awaited.clear();
  }

  private async findOrMount(
    layers: readonly string[],
    mountpoint: string,
    restore: () => Promise<void>,
  ): Promise<string> {
    if (await isMounted(mountpoint)) return mountpoint;
    await restore();
    return this.mount(layers, mountpoint);
  }

  /** Nobody looks for a mount while it is made, or taken away. */
  private turnsOf(key: string): Semaphore {
    const turns = this.turns.get(key) ?? new Semaphore();
    this.turns.set(key, turns);
    return turns;
  }

  private async mount(layers: readonly string[], mountpoint: string): Promise<string> {
    this.unexpect(layers);
    const { bootstrap } = await this.store.merge(layers, AbortSignal.any([]));
    await mkdir(mountpoint, { recursive: true, mode: 0o755 });
    const files = { bootstrap, blobDir: this.store.blobDir, mountpoint };
    const { by, reason } = await this.mounting.run(() =>
      this.tally.timed("mount", () => mountImage(files, this.means)),
    );
    if (reason !== undefined && !this.said.has(reason)) {
      this.said.add(reason);
      this.log.warn(`images are served by FUSE: ${reason}`);
    }
    this.log.info(`${mountpoint}: mounted`, { by, layers: layers.length });
    return mountpoint;
  }

  private isIdle = (key: string, isNeeded: (key: string) => boolean): boolean =>
    !this.underWay.has(key) && !isNeeded(key);

  private async unmount(key: string): Promise<void> {
    const mountpoint = this.mountpoint(key);
    try {
      await unmount({ path: mountpoint });
      await rmdir(mountpoint);
    } catch (error) {
      this.log.warn(`${mountpoint}: ${messageOf(error)}`);
    }
  }
}

/** A mount whose daemon is gone is taken away: another one is made in its place. */
async function isMounted(mountpoint: string): Promise<boolean> {
  const mount = mountAt(mountpoint);
  if (mount === undefined || !isImage(mount)) return false;
  if (mount.type === "erofs") return true;
  try {
    await statfs(mountpoint);
    return true;
  } catch (error) {
    if (!isDeadMount(error)) throw error;
    await detach(mountpoint);
    return false;
  }
}
