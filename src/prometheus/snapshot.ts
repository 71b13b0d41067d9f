import { type Counters, sumOf } from "../counters/counters.ts";
import type { ExportedMount, ExportedImage } from "./exported-mount.ts";

/** What is counted at the moment of a scrape: added up once for all metrics of an answer. */
export class Snapshot {
  readonly mount: ExportedMount;
  counts: Counters = sumOf([]);
  images: readonly ExportedImage[] = [];

  constructor(mount: ExportedMount) {
    this.mount = mount;
  }

  take(): void {
    this.counts = this.mount.counts();
    this.images = this.mount.images();
  }
}
