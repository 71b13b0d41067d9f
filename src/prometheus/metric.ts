import { Counter, type CounterConfiguration, Gauge, Histogram } from "prom-client";

/** Where metrics are registered. A registry has one format: in OpenMetrics prom-client renames counters for good. */
export type Registry = NonNullable<CounterConfiguration<string>["registers"]>[number];

type Labels = Readonly<Record<string, string>>;
/** What a metric is at the moment of a scrape. */
type Samples = readonly (readonly [value: number, labels: Labels])[];

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** A counter that counts elsewhere: read when it is asked for. */
export function addCounter(registry: Registry, metric: Metric, read: () => number | Samples): void {
  new Counter({
    ...configuration(registry, metric),
    collect() {
      this.reset();
      for (const [value, labels] of samples(read())) this.inc(labels, value);
    },
  });
}

export function addGauge(registry: Registry, metric: Metric, read: () => number | Samples): void {
  new Gauge({
    ...configuration(registry, metric),
    collect() {
      this.reset();
      for (const [value, labels] of samples(read())) this.set(labels, value);
    },
  });
}

/** Observations that were counted elsewhere, of one set of labels. */
export interface Distribution {
  readonly labels: Labels;
  /** By upper bound, and one for the rest; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** @param bounds inclusive */
export function addHistogram(
  registry: Registry,
  metric: Metric,
  bounds: readonly number[],
  read: () => readonly Distribution[],
): void {
  new CountedHistogram(registry, metric, bounds, read);
}

const samples = (read: number | Samples): Samples => (typeof read === "number" ? [[read, {}]] : read);

const configuration = (registry: Registry, { name, help, labels = [] }: Metric) => ({
  name,
  help,
  labelNames: labels,
  registers: [registry],
});

/** prom-client's histogram only takes one observation after another, and those are over. */
class CountedHistogram extends Histogram {
  private readonly metric: Metric;
  private readonly bounds: readonly number[];
  private readonly read: () => readonly Distribution[];

  constructor(
    registry: Registry,
    metric: Metric,
    bounds: readonly number[],
    read: () => readonly Distribution[],
  ) {
    super({ ...configuration(registry, metric), buckets: [...bounds] });
    this.metric = metric;
    this.bounds = bounds;
    this.read = read;
  }

  /** What its registry asks it, and its `get` does; prom-client's types do not have it. */
  async getForPromString() {
    const { name, help } = this.metric;
    return { name, help, type: "histogram", values: this.read().flatMap((each) => this.series(each)) };
  }

  private series({ labels, counts, sum }: Distribution) {
    const { name } = this.metric;
    let below = 0;
    const buckets = counts.map((count, i) => {
      below += count;
      const le = i < this.bounds.length ? this.bounds[i] : "+Inf";
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: below },
    ];
  }
}
