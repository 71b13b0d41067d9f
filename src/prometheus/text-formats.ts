import { type OpenMetricsContentType, Registry } from "prom-client";
import { wantsOpenMetrics } from "./accept.ts";
import type { Answer } from "./http.ts";
import type { Registry as AnyRegistry } from "./metric.ts";

/** The same metrics in both text formats: a registry has one. */
export class TextFormats {
  private readonly text = new Registry();
  private readonly open = new Registry<OpenMetricsContentType>();

  /** @param add puts the metrics into a registry */
  constructor(add: (registry: AnyRegistry) => void) {
    this.open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    for (const registry of [this.text, this.open]) add(registry);
  }

  /** @param accept header of the request */
  async answer(accept: string): Promise<Answer> {
    const registry = wantsOpenMetrics(accept) ? this.open : this.text;
    return { status: 200, type: registry.contentType, body: await registry.metrics() };
  }
}
