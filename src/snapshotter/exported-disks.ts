import { mkdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { Semaphore } from "../bytes/semaphore.ts";
import type { DiskMade, DiskTask } from "./disk-thread.ts";
import { type DiskTree, diskOf, forgetTree, readTree } from "./disk-tree.ts";

/** A disk for virtual machines. */
export interface ExportedDisk {
  readonly path: string;
  /** undefined: without hashes. */
  readonly tree: DiskTree | undefined;
}

/** Its file, and what lies beside it. */
interface DiskFiles {
  readonly name: string;
  readonly bytes: number;
}

/** What a disk is made of. */
type DiskSource = Pick<DiskTask, "bootstrap" | "blobDir">;

/**
 * Images and layers as disks: made when one is first asked for, kept as long as the snapshot that is or lies on it. One whose hash tree
 * is not known is made again.
 */
export class ExportedDisks {
  private readonly root: string;
  private readonly underWay = new Map<string, Promise<ExportedDisk>>();
  /** Each is hashed by all CPUs. */
  private readonly making = new Semaphore();

  constructor(root: string) {
    this.root = join(root, "disks");
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
  }

  /**
   * @param name of the file; always of disks with hashes, or always of such without
   * @throws OperationalError
   */
  disk(name: string, hasVerity: boolean, source: () => Promise<DiskSource>): Promise<ExportedDisk> {
    let finding = this.underWay.get(name);
    if (finding === undefined) {
      finding = this.findOrMake(join(this.root, name), hasVerity, source).finally(() =>
        this.underWay.delete(name),
      );
      this.underWay.set(name, finding);
    }
    return finding;
  }

  /** All that there are. */
  async all(): Promise<DiskFiles[]> {
    const sizes = new Map<string, number>();
    for (const file of await readdir(this.root)) {
      const name = diskOf(file);
      sizes.set(name, (sizes.get(name) ?? 0) + ((await sizeOf(join(this.root, file))) ?? 0));
    }
    return [...sizes].map(([name, bytes]) => ({ name, bytes }));
  }

  /** Those that nobody needs. */
  async others(isNeeded: (name: string) => boolean): Promise<DiskFiles[]> {
    return (await this.all()).filter(({ name }) => !this.underWay.has(name) && !isNeeded(name));
  }

  /** Removes those. @returns bytes of files that are gone */
  async removeOthers(isNeeded: (name: string) => boolean): Promise<number> {
    let freed = 0;
    for (const { name, bytes } of await this.others(isNeeded)) {
      if (this.underWay.size > 0) break; // what has no name yet may be somebody's: the next clean-up comes
      if (isNeeded(name)) continue;
      const path = join(this.root, name);
      await forgetTree(path);
      await rm(path, { force: true });
      freed += bytes;
    }
    return freed;
  }

  private async findOrMake(
    path: string,
    hasVerity: boolean,
    source: () => Promise<DiskSource>,
  ): Promise<ExportedDisk> {
    const tree = hasVerity ? await readTree(path) : undefined;
    const isKnown = tree !== undefined || !hasVerity;
    if (isKnown && (await sizeOf(path)) !== undefined) return { path, tree };
    return this.making.run(async () => {
      await forgetTree(path);
      return { path, tree: await make({ ...(await source()), hasVerity, output: path }) };
    });
  }
}

function make(workerData: DiskTask): Promise<DiskTree | undefined> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL("./disk-thread.js", import.meta.url), { workerData });
    thread.once("message", (made: DiskMade) =>
      "problem" in made ? reject(new OperationalError(made.problem)) : resolve(made.tree),
    );
    thread.once("error", reject);
    thread.once("exit", (status) => reject(new OperationalError(`a thread ended with status ${status}`)));
  });
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
