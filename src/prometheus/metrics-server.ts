import { DiskExporter, type ExportedDisks } from "./disk-exporter.ts";
import type { ExportedMount, State } from "./exported-mount.ts";
import { Exporter } from "./exporter.ts";
import { type Address, type Answer, type Listening, listen } from "./http.ts";

/** What the server answers from. */
interface Source {
  state(): State;
  metrics(accept: string): Promise<Answer>;
  close(): void;
}

/** Before there is a mount. */
const STARTING: Source = {
  state: () => "starting",
  metrics: async () => ({ status: 503, body: "starting\n" }),
  close: () => {},
};

/** Answers what Prometheus and the supervisors of daemons ask over HTTP: it listens before there is a mount. */
export class MetricsServer {
  private readonly listening: Listening;
  private readonly source: { current: Source };
  private readonly hungAfter: number;
  private readonly warn: (message: string) => void;

  /**
   * @param hungAfter seconds
   * @throws OperationalError when the address cannot be listened on
   */
  static async start(
    address: Address,
    hungAfter: number,
    warn: (message: string) => void,
  ): Promise<MetricsServer> {
    const source = { current: STARTING };
    const listening = await listen(address, (path, accept) => answer(source.current, path, accept), warn);
    return new MetricsServer(listening, source, hungAfter, warn);
  }

  private constructor(
    listening: Listening,
    source: { current: Source },
    hungAfter: number,
    warn: (message: string) => void,
  ) {
    this.listening = listening;
    this.source = source;
    this.hungAfter = hungAfter;
    this.warn = warn;
  }

  /** HOST:PORT. */
  get address(): string {
    return this.listening.address;
  }

  /** From now on it answers from this mount. */
  export(mount: ExportedMount): void {
    this.source.current.close();
    this.source.current = new Exporter(mount, this.hungAfter, this.warn);
  }

  /** From now on it answers from these disks. */
  exportDisks(disks: ExportedDisks): void {
    this.source.current.close();
    this.source.current = new DiskExporter(disks);
  }

  close(): void {
    this.source.current.close();
    this.listening.close();
  }
}

async function answer(source: Source, path: string, accept: string): Promise<Answer> {
  switch (path) {
    case "/metrics":
      return source.metrics(accept);
    case "/healthz":
      return { status: 200, body: "ok\n" };
    case "/readyz": {
      const state = source.state();
      return { status: state === "serving" ? 200 : 503, body: `${state}\n` };
    }
    default:
      return { status: 404, body: "there are /metrics, /healthz and /readyz\n" };
  }
}
