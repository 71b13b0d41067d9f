import { type OpenMetricsContentType, Registry } from "prom-client";
import { wantsOpenMetrics } from "./accept.ts";
import { type Address, type Answer, type Listening, listen } from "./http.ts";
import { HungRequests } from "./hung.ts";
import type { Registry as AnyRegistry } from "./metric.ts";
import type { Monitored } from "./monitored.ts";
import { addMountMetrics } from "./mount-metrics.ts";
import { addOperationMetrics } from "./operation-metrics.ts";
import { addPrefetchMetrics } from "./prefetch-metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { addReadMetrics } from "./read-metrics.ts";
import { Reading } from "./reading.ts";

/** Answers what Prometheus and whoever starts daemons ask over HTTP. */
export class Monitor {
  private readonly warn: (message: string) => void;
  private readonly hungAfter: number;
  private server: Listening | undefined;
  private reading: Reading | undefined;
  private hung: HungRequests | undefined;
  private readonly text = new Registry();
  private readonly open = new Registry<OpenMetricsContentType>();

  /**
   * @param hungAfter seconds
   * @throws StartError when the address cannot be listened on
   */
  static async start(address: Address, hungAfter: number, warn: (message: string) => void): Promise<Monitor> {
    const monitor = new Monitor(hungAfter, warn);
    monitor.server = await listen(address, (path, accept) => monitor.answer(path, accept), warn);
    return monitor;
  }

  private constructor(hungAfter: number, warn: (message: string) => void) {
    this.hungAfter = hungAfter;
    this.warn = warn;
    this.open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  }

  /** HOST:PORT. */
  get address(): string {
    return this.server?.address ?? "";
  }

  /** Nothing can be told before there is a mount. */
  watch(mount: Monitored): void {
    const hung = new HungRequests(mount, this.hungAfter, this.warn);
    const reading = new Reading(mount);
    for (const registry of [this.text, this.open]) addMetrics(registry, reading, hung);
    this.reading = reading;
    this.hung = hung;
  }

  close(): void {
    this.hung?.close();
    this.server?.close();
  }

  private async answer(path: string, accept: string): Promise<Answer> {
    const state = this.reading?.mount.state() ?? "starting";
    switch (path) {
      case "/metrics": {
        if (this.reading === undefined) return { status: 503, body: `${state}\n` };
        this.reading.take();
        this.reading.mount.onShown();
        const registry = wantsOpenMetrics(accept) ? this.open : this.text;
        return { status: 200, type: registry.contentType, body: await registry.metrics() };
      }
      case "/healthz":
        return { status: 200, body: "ok\n" };
      case "/readyz":
        return { status: state === "serving" ? 200 : 503, body: `${state}\n` };
      default:
        return { status: 404, body: "there are /metrics, /healthz and /readyz\n" };
    }
  }
}

function addMetrics(registry: AnyRegistry, reading: Reading, hung: HungRequests): void {
  addOperationMetrics(registry, reading);
  addReadMetrics(registry, reading);
  addPrefetchMetrics(registry, reading);
  hung.addMetrics(registry);
  addMountMetrics(registry, reading);
  addProcessMetrics(registry, reading.mount.maxFds);
}
