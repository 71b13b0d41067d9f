import { mkdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { Semaphore } from "../bytes/semaphore.ts";
import type { DiskMade, DiskTask } from "./disk-thread.ts";

/** A disk for virtual machines. */
export interface ExportedDisk {
  readonly path: string;
  readonly bytes: number;
  /** `data blocks,hash offset,sha256:root`; "" without a hash tree. */
  readonly info: string;
}

/**
 * Images and layers as disks: made when one is first asked for, kept as long as the snapshot that is or lies on it. What is known of a disk
 * is kept by whoever asks for it: a disk of which nothing is known is made again.
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
   * @param name of the file
   * @param known what was told of it before
   * @throws OperationalError
   */
  async disk(
    name: string,
    known: string | undefined,
    source: () => Promise<Omit<DiskTask, "output">>,
  ): Promise<ExportedDisk> {
    const path = join(this.root, name);
    const bytes = known === undefined ? undefined : await sizeOf(path);
    if (known !== undefined && bytes !== undefined) return { path, bytes, info: known };
    let making = this.underWay.get(name);
    if (making === undefined) {
      making = this.making
        .run(async () => {
          const info = await make({ ...(await source()), output: path });
          return { path, bytes: (await sizeOf(path)) ?? 0, info };
        })
        .finally(() => this.underWay.delete(name));
      this.underWay.set(name, making);
    }
    return making;
  }

  /** Names of disks that nobody needs. */
  async others(isNeeded: (name: string) => boolean): Promise<string[]> {
    return (await readdir(this.root)).filter((name) => !this.underWay.has(name) && !isNeeded(name));
  }

  /** Removes those. @returns bytes of files that are gone */
  async removeOthers(isNeeded: (name: string) => boolean): Promise<number> {
    let freed = 0;
    for (const name of await this.others(isNeeded)) {
      if (this.underWay.size > 0) break; // what has no name yet may be somebody's: the next clean-up comes
      const path = join(this.root, name);
      freed += (await sizeOf(path)) ?? 0;
      await rm(path, { force: true });
    }
    return freed;
  }
}

function make(workerData: DiskTask): Promise<string> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL("./disk-thread.js", import.meta.url), { workerData });
    thread.once("message", (made: DiskMade) =>
      "info" in made ? resolve(made.info) : reject(new OperationalError(made.problem)),
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
