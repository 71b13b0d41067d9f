import type { Inflight } from "../counters/inflight.ts";
import { opName } from "../vfs/opcodes.ts";
import { addCounter, addGauge, type Registry } from "./metric.ts";
import type { ExportedMount } from "./exported-mount.ts";

/** Looking at a row a worker costs nothing; a request is found hung this much late. */
const PERIOD_MS = 500;

/** Requests that take longer than any disk should: each is said once, and forgotten when it is answered. */
export class HungRequests {
  private readonly mount: ExportedMount;
  private readonly after: number;
  private readonly warn: (message: string) => void;
  private readonly now: () => number;
  private hung = new Set<string>();
  private seen = 0;
  private readonly timer: NodeJS.Timeout;

  /**
   * @param after seconds
   * @param now ms since 1970, by the clock that stamps requests: one that is never set
   */
  constructor(
    mount: ExportedMount,
    after: number,
    warn: (message: string) => void,
    now: () => number = () => performance.timeOrigin + performance.now(),
  ) {
    this.mount = mount;
    this.after = after;
    this.warn = warn;
    this.now = now;
    this.timer = setInterval(() => this.look(), PERIOD_MS).unref();
  }

  addMetrics(registry: Registry): void {
    const now = {
      name: "nydusd_hung_io_counts",
      help: `Requests that have been in work for more than ${this.after} s.`,
    };
    addGauge(registry, now, () => {
      this.look();
      return this.hung.size;
    });
    const all = {
      name: "tarfs_hung_requests_total",
      help: `Requests that were in work for more than ${this.after} s, whatever became of them.`,
    };
    addCounter(registry, all, () => this.seen);
  }

  /** Finds what hangs now. */
  look(): void {
    const limit = this.now() - this.after * 1000;
    const old = new Map(
      this.mount
        .inflight()
        .filter(({ since }) => since < limit)
        .map((request) => [`${request.unique}/${request.since}`, request]),
    );
    const fresh = [...old].filter(([key]) => !this.hung.has(key)).map(([, request]) => request);
    this.hung = new Set(old.keys());
    this.seen += fresh.length;
    if (fresh.length > 0) this.say(fresh);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private say(requests: readonly Inflight[]): void {
    const paths = this.mount.pathsOf(new Set(requests.map(({ node }) => node)));
    for (const { opcode, node, since, unique } of requests) {
      const age = ((this.now() - since) / 1000).toFixed(1);
      const path = paths.get(node) ?? "path unknown";
      this.warn(`hung for ${age} s: ${opName(opcode)} of node ${node} (${path}), request ${unique}`);
    }
  }
}
