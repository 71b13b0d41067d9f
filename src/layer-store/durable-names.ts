import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

type Names = readonly (readonly [from: string, to: string])[];

/** Waits until the names in directories are on disk. Who comes while one waits for a directory waits for the next time together. */
export class DurableNames {
  private readonly waiting = new Map<string, Promise<void>>();
  private readonly running = new Map<string, Promise<void>>();

  /** Gives files their names, in this order. What is in them is on disk. */
  async give(names: Names): Promise<void> {
    for (const [from, to] of names) await rename(from, to);
  }

  /** Waits until those names are on disk. */
  async sync(names: Names): Promise<void> {
    await Promise.all([...new Set(names.map(([, to]) => dirname(to)))].map((dir) => this.synced(dir)));
  }

  private synced(dir: string): Promise<void> {
    const waits = this.waiting.get(dir);
    if (waits !== undefined) return waits;
    const next = this.next(dir);
    this.waiting.set(dir, next);
    return next;
  }

  private async next(dir: string): Promise<void> {
    await this.running.get(dir)?.catch(() => {});
    this.waiting.delete(dir);
    const run = syncDirectory(dir);
    this.running.set(dir, run);
    try {
      await run;
    } finally {
      if (this.running.get(dir) === run) this.running.delete(dir);
    }
  }
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
