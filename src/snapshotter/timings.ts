import type { Distribution } from "../prometheus/metric.ts";

/** How long things took, by their labels. */
export class Timings {
  /** Upper bounds. */
  readonly bounds: readonly number[];
  private readonly byLabels = new Map<string, Distribution & { readonly counts: number[]; sum: number }>();

  /** @param bounds inclusive, the lowest first */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
  }

  /** @param value in the unit of the bounds */
  observe(labels: Readonly<Record<string, string>>, value: number): void {
    const key = Object.values(labels).join("\n");
    let found = this.byLabels.get(key);
    if (found === undefined) {
      found = { labels, counts: new Array<number>(this.bounds.length + 1).fill(0), sum: 0 };
      this.byLabels.set(key, found);
    }
    const at = this.bounds.findIndex((bound) => value <= bound);
    const bucket = at < 0 ? this.bounds.length : at;
    found.counts[bucket] = (found.counts[bucket] ?? 0) + 1;
    found.sum += value;
  }

  all = (): Distribution[] => [...this.byLabels.values()];
}
