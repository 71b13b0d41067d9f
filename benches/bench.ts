import { messageOf } from "../src/bytes/errors.ts";
import type { Load, Reference } from "./load.ts";
import { type Counts, Mounted } from "./mounted.ts";
import { dropCaches } from "./processes.ts";
import type { BenchImage, System } from "./systems.ts";

/** What a workload measures with: one system, one image. */
export class Bench {
  readonly system: System;
  readonly image: BenchImage;
  readonly load: Load;
  readonly reference: Reference;
  /** Length of a timed workload, seconds. */
  readonly seconds: number;
  readonly app: readonly string[];
  /** What the daemon served, by mount. */
  readonly counts: Record<string, Counts> = {};
  private readonly signal: AbortSignal;

  constructor(system: System, setting: Setting) {
    this.system = system;
    this.image = setting.image;
    this.load = setting.load;
    this.reference = setting.reference;
    this.seconds = setting.seconds;
    this.app = setting.app;
    this.signal = setting.signal;
  }

  /** Mounts, runs `body`, and unmounts whatever happened. @param label names the mount's counts */
  async mounted<T>(label: string, body: (m: Mounted) => Promise<T>): Promise<T> {
    const m = await Mounted.start(this.system, this.load.program, this.image.workDir, this.signal);
    let result: T;
    try {
      result = await body(m);
    } catch (error) {
      await m.stop().catch((second) => process.stderr.write(`stopping: ${messageOf(second)}\n`));
      throw error;
    }
    const counts = await m.stop();
    if (counts !== undefined) this.counts[label] = counts;
    return result;
  }

  /** Empties the kernel's caches. */
  async dropCaches(): Promise<void> {
    await dropCaches(this.signal);
  }

  /** Brings the image and its tars into the page cache, and the system's own program with it. */
  async warm(): Promise<void> {
    await this.load.sequential(this.image.bootstrap, ...this.image.blobs.map((blob) => blob.path));
    const m = await Mounted.start(this.system, this.load.program, this.image.workDir, this.signal);
    await m.stop();
  }
}

/** What all measurements of a run share. */
export interface Setting {
  readonly image: BenchImage;
  readonly load: Load;
  readonly reference: Reference;
  readonly seconds: number;
  readonly app: readonly string[];
  readonly signal: AbortSignal;
}
