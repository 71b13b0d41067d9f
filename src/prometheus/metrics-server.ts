import type { State } from "./exported-mount.ts";
import { type Address, type Answer, type Listening, listen } from "./http.ts";

/** What the server answers from. */
export interface MetricsSource {
  state(): State;
  metrics(accept: string): Promise<Answer>;
  /** By path, pages besides. */
  readonly pages?: ReadonlyMap<string, (accept: string) => Promise<Answer>>;
  close(): void;
}

/** Before there is anything to tell of. */
const STARTING: MetricsSource = {
  state: () => "starting",
  metrics: async () => ({ status: 503, body: "starting\n" }),
  close: () => {},
};

/** Answers what Prometheus and the supervisors of daemons ask over HTTP: it may listen before there is anything to tell of. */
export class MetricsServer {
  private readonly listening: Listening;
  private readonly source: { current: MetricsSource };

  /** @throws OperationalError when the address cannot be listened on */
  static async start(address: Address, warn: (message: string) => void): Promise<MetricsServer> {
    const source = { current: STARTING };
    const listening = await listen(address, (path, accept) => answer(source.current, path, accept), warn);
    return new MetricsServer(listening, source);
  }

  private constructor(listening: Listening, source: { current: MetricsSource }) {
    this.listening = listening;
    this.source = source;
  }

  /** HOST:PORT. */
  get address(): string {
    return this.listening.address;
  }

  /** From now on it answers from this. */
  export(source: MetricsSource): void {
    this.source.current.close();
    this.source.current = source;
  }

  close(): void {
    this.source.current.close();
    this.listening.close();
  }
}

async function answer(source: MetricsSource, path: string, accept: string): Promise<Answer> {
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
      return (
        source.pages?.get(path)?.(accept) ?? {
          status: 404,
          body: "there are /metrics, /healthz and /readyz\n",
        }
      );
  }
}
