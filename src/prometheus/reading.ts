import { type Counters, sumOf } from "../counters/counters.ts";
import type { Monitored, MonitoredImage } from "./monitored.ts";

/** What was counted when somebody asked: added up once for all metrics of an answer. */
export class Reading {
  readonly mount: Monitored;
  counts: Counters = sumOf([]);
  images: readonly MonitoredImage[] = [];

  constructor(mount: Monitored) {
    this.mount = mount;
  }

  take(): void {
    this.counts = this.mount.counts();
    this.images = this.mount.images();
  }
}
