import { mkdirSync } from "node:fs";
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { messageOf } from "../bytes/errors.ts";
import { Semaphore } from "../bytes/semaphore.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import { NotConvertible } from "../layer-store/not-convertible.ts";
import type { Merged } from "../layer-store/stored-layer.ts";
import type { Logger } from "../log/log.ts";
import { isImage, mountAt } from "../mounts/table.ts";
import { detach, unmount } from "../mounts/umount.ts";
import { isWorthKeeping } from "../verdict/verdicts.ts";
import { ExpectedMerges } from "./expected-merges.ts";
import {
  DamagedBootstrap,
  type ImageFiles,
  lookAt,
  type MountedBy,
  type MountMeans,
  mountImage,
} from "./mount-image.ts";
import { rootOf } from "./mount-root.ts";
import type { Tally } from "./tally.ts";

/** Images made of layers: merged once, mounted once, for all containers; found again in the kernel's table of mounts. */
export class MountedImages {
  /** Those that will be asked for. */
  readonly expected: ExpectedMerges;
  private readonly root: string;
  private readonly verdicts: string;
  private readonly store: LayerStore;
  private readonly means: MountMeans;
  private readonly log: Logger;
  private readonly tally: Tally;
  private readonly underWay = new Map<string, Promise<string>>();
  private readonly turns = new Map<string, Semaphore>();
  /** After a reboot all images are asked for at once, each of which is checked by a thread, or served by a process. */
  private readonly mounting = new Semaphore(availableParallelism());
  /** Images of layers that do not go together here, by their keys: why. */
  private readonly refused = new Map<string, NotConvertible>();
  /** Reasons why the kernel did not mount an image, that were said already. */
  private readonly said = new Set<string>();

  constructor(root: string, store: LayerStore, means: MountMeans, log: Logger, tally: Tally) {
    this.root = join(root, "mnt");
    mkdirSync(this.root, { recursive: true, mode: 0o711 });
    this.verdicts = join(root, "verdicts");
    this.store = store;
    this.means = means;
    this.log = log;
    this.tally = tally;
    this.expected = new ExpectedMerges((layers, signal) => this.mergeAhead(layers, signal), log);
  }

  /**
   * Where the image of these layers is mounted, which it is when this resolves.
   *
   * @param layers diffIDs, the lowest first; one at least
   * @param restore called before the layers are read
   * @throws NotConvertible when they are to be unpacked one by one instead; OperationalError
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
        () => !this.isIdle(key, isNeeded) || this.expected.has(key),
      );
    for (const known of [this.turns, this.refused])
      for (const key of known.keys())
        if (this.isIdle(key, isNeeded) && !this.expected.has(key)) known.delete(key);
    // They are small and few; which image each is of, only its bytes say.
    if ([...this.store.allMerged()].length === 0) await rm(this.verdicts, { recursive: true, force: true });
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
      merged: merged.filter((key) => isIdle(key) && !this.expected.has(key)),
    };
  }

  /** Keys of images that are mounted, or were. */
  mountpoints = (): Promise<string[]> => readdir(this.root);

  mountpoint = (key: string): string => join(this.root, key);

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
    const merging = this.merge(layers, AbortSignal.any([]));
    this.expected.unexpect(layers);
    const merged = await merging;
    await mkdir(mountpoint, { recursive: true, mode: 0o755 });
    const { by, reason } = await this.mountWhole(merged, layers, mountpoint);
    if (reason !== undefined && !this.said.has(reason)) {
      this.said.add(reason);
      this.log.warn(`images are served by FUSE: ${reason}`);
    }
    this.log.info(`${mountpoint}: mounted`, { by, layers: layers.length });
    return mountpoint;
  }

  /** A bootstrap that turns out to be damaged is made anew, once. */
  private async mountWhole(
    merged: Merged,
    layers: readonly string[],
    mountpoint: string,
  ): Promise<MountedBy> {
    try {
      return await this.mountOnce(merged, mountpoint);
    } catch (error) {
      if (!(error instanceof DamagedBootstrap)) throw error;
      this.log.warn(`${error.message}: it is merged again`);
      return this.mountOnce(await this.merge(layers, AbortSignal.any([]), true), mountpoint);
    }
  }

  private filesOf({ bootstrap }: Merged, mountpoint: string): ImageFiles {
    return { bootstrap, blobDir: this.store.blobDir, mountpoint, verdicts: this.verdicts };
  }

  private mountOnce(merged: Merged, mountpoint: string): Promise<MountedBy> {
    const files = this.filesOf(merged, mountpoint);
    return this.mounting.run(() => this.tally.timed("mount", () => mountImage(files, this.means)));
  }

  /** Before a container asks, and what takes most of a mount's time as well. */
  private async mergeAhead(layers: readonly string[], signal: AbortSignal): Promise<void> {
    const merged = await this.merge(layers, signal);
    if (signal.aborted || this.means.driver === "fuse" || !isWorthKeeping(merged.bootstrapBytes)) return;
    await this.mounting.run(() => lookAt(this.filesOf(merged, "")));
  }

  private async merge(layers: readonly string[], signal: AbortSignal, isAnew = false): Promise<Merged> {
    const key = LayerStore.keyOf(layers);
    const known = this.refused.get(key);
    if (known !== undefined) throw known;
    try {
      return await this.store.merge(layers, signal, isAnew);
    } catch (error) {
      if (error instanceof NotConvertible && !this.refused.has(key)) {
        this.refused.set(key, error);
        this.log.warn(`image ${key}: its layers are unpacked one by one: ${error.reason}`);
        this.tally.fellBack("not-mergeable");
      }
      throw error;
    }
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
  if (mount.type === "erofs" || (await rootOf(mountpoint)) !== "dead") return true;
  await detach(mountpoint);
  return false;
}
