import { messageOf } from "../bytes/errors.ts";
import type { Log } from "../log/log.ts";
import type { Ended } from "../session/ended.ts";
import { type Api, openApi } from "./api.ts";
import type { Served, SessionObserver } from "./lifecycle.ts";
import type { Monitoring } from "./monitoring.ts";
import type { DaemonOptions } from "./options.ts";
import type { LifecycleControl } from "./lifecycle-control.ts";
import { buildInfo } from "./version.ts";

/** What listens on sockets: the management API and the metrics, each only when it is asked for. */
export class Listeners implements SessionObserver {
  private readonly options: DaemonOptions;
  private readonly orders: LifecycleControl;
  private readonly onShown: () => void;
  private readonly log: Log;
  private api: Api | undefined;
  private monitoring: Monitoring | undefined;

  /**
   * @param orders what the API can order
   * @param onShown told before totals are shown
   */
  constructor(options: DaemonOptions, orders: LifecycleControl, onShown: () => void, log: Log) {
    this.options = options;
    this.orders = orders;
    this.onShown = onShown;
    this.log = log;
  }

  /** HOST:PORT */
  get metricsAddress(): string | undefined {
    return this.monitoring?.address;
  }

  /** @throws OperationalError when the socket cannot be made */
  async openApi(): Promise<void> {
    this.api ??= await openApi(this.options, this.orders, this.log);
  }

  /** Loaded only when it is asked for. @throws OperationalError when the address cannot be listened on */
  async openMetrics(): Promise<void> {
    const { monitoring } = this.options;
    if (monitoring === undefined) return;
    const { Monitoring } = await import("./monitoring.ts");
    this.monitoring = await Monitoring.start(monitoring, buildInfo(), this.onShown, this.log);
  }

  async ready(served: Served): Promise<void> {
    if (served.isResumed) await this.openLate();
    this.monitoring?.ready(served);
    await this.api?.ready?.(served);
  }

  stopping(): void {
    this.monitoring?.stopping();
  }

  ended(how: Ended): void {
    this.monitoring?.ended();
    void this.api?.ended?.(how);
  }

  /** For a session that is served already: no failure ends it. */
  private async openLate(): Promise<void> {
    try {
      await this.openMetrics();
      await this.openApi();
      this.mounting();
    } catch (error) {
      this.log.error(`${messageOf(error)}: files are served all the same`);
    }
  }

  /** The image was checked and signals are listened to: mounting begins. */
  mounting(): void {
    this.api?.mounting();
  }

  async close(): Promise<void> {
    this.monitoring?.close();
    await this.api?.close();
  }
}
