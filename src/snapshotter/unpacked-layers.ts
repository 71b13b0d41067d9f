import { mkdir, rename, rm, stat } from "node:fs/promises";
import { codeOf } from "../bytes/errors.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { SnapshotDirectories } from "./snapshot-directories.ts";

/** Of what is not finished. */
const PART = ".part";

/**
 * Layers as directories, for those that lie above what is itself a directory: they mean what is below by whiteouts, so that they
 * cannot be part of the image at the bottom. Each is unpacked once, into its snapshot, and goes with it.
 */
export class UnpackedLayers {
  private readonly directories: SnapshotDirectories;
  private readonly store: LayerStore;
  private readonly underWay = new Map<number, Promise<string>>();

  constructor(directories: SnapshotDirectories, store: LayerStore) {
    this.directories = directories;
    this.store = store;
  }

  /**
   * @param id of the snapshot
   * @param below directories that lie below it, the highest first
   * @throws OperationalError
   */
  async directory(id: number, diffId: string, below: readonly string[]): Promise<string> {
    const { unpacked } = this.directories.places(id);
    let making = this.underWay.get(id);
    if (making === undefined) {
      making = this.unpack(unpacked, diffId, below).finally(() => this.underWay.delete(id));
      this.underWay.set(id, making);
    }
    return making;
  }

  private async unpack(path: string, diffId: string, below: readonly string[]): Promise<string> {
    if (await isDirectory(path)) return path;
    await rm(path + PART, { recursive: true, force: true });
    await mkdir(path + PART, { recursive: true, mode: 0o755 });
    await this.store.unpack(diffId, path + PART, below, AbortSignal.any([]));
    await rename(path + PART, path);
    return path;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}
