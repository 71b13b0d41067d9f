import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { Log } from "../log/log.ts";
import type { Session } from "../session/transport.ts";
import type { Served, SessionObserver } from "./lifecycle.ts";
import type { LifecycleControl } from "./lifecycle-control.ts";
import type { Supervised } from "../seed/supervised.ts";
import type { OutgoingHandover } from "../handover/outgoing.ts";

/** How a session leaves this process, or comes to it, on order: of the API, of SIGHUP, of a process that recovers it. */
export class DaemonControl implements LifecycleControl, SessionObserver {
  /** Where another process can go on with what this one serves; undefined: it cannot. */
  private readonly outgoing: OutgoingHandover | undefined;
  private readonly supervised: Supervised | undefined;
  private readonly close: () => Promise<void>;
  private readonly log: Log;
  private session: Session | undefined;
  private onServing: () => void = () => {};
  private readonly isServing = new Promise<void>((resolve) => {
    this.onServing = resolve;
  });

  /** @param close ends what listens: the next process will listen there */
  constructor(
    outgoing: OutgoingHandover | undefined,
    supervised: Supervised | undefined,
    close: () => Promise<void>,
    log: Log,
  ) {
    this.outgoing = outgoing;
    this.supervised = supervised;
    this.close = close;
    this.log = log;
  }

  ready({ session }: Served): void {
    this.session = session;
    this.onServing();
  }

  async sendDevice(): Promise<void> {
    const transfer = this.session?.transfer;
    if (this.supervised === undefined || transfer === undefined)
      throw new OperationalError(
        "this daemon was started without --supervisor, or with a transport other than direct",
      );
    await this.supervised.send(transfer);
  }

  async takeOver(): Promise<void> {
    if (this.supervised === undefined)
      throw new OperationalError("this daemon was started without --supervisor");
    await this.supervised.take();
  }

  async start(): Promise<void> {
    this.supervised?.start();
    await this.isServing;
  }

  exit(): void {
    if (this.supervised?.isSent !== true) process.kill(process.pid, "SIGTERM");
    else this.outgoing?.handOver();
  }

  async upgrade(): Promise<() => void> {
    if (this.outgoing === undefined)
      throw new OperationalError("an upgrade needs a keeper, --transport direct, and no --user");
    const version = await this.outgoing.prepareUpgrade();
    this.log.info(`version ${version} is ready: handing over`);
    return () => this.handOver();
  }

  /** To a process that is ready. */
  handOver(): void {
    const failed = (error: unknown) => this.log.error(messageOf(error));
    this.close()
      .catch(failed)
      .then(() => this.outgoing?.handOver())
      .catch(failed);
  }

  /** SIGHUP. */
  hangUp(): void {
    this.isServing
      .then(() => this.upgrade())
      .then((handOver) => handOver())
      .catch((error: unknown) => this.log.error(`SIGHUP: no upgrade: ${messageOf(error)}`));
  }
}
