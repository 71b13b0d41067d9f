import type { Fields, Level } from "../log/log-line.ts";
import type { ReadyFacts } from "./facts.ts";
import type { DaemonOptions } from "./options.ts";

/** In the environment of what was started in the background, and of what goes on with its session. */
export const IN_BACKGROUND = "NYDUSD_TS_BACKGROUND";

/** What is to be served, ready to be: sources were read by the process that the user has started. */
export interface Order {
  readonly options: DaemonOptions;
  /** Why the daemon serves, where the driver was chosen. */
  readonly reason?: string | undefined;
}

/** What a daemon in the background tells the command that waits for it. */
export type Told =
  | { readonly wants: "order" }
  | { readonly level: Level; readonly message: string; readonly fields: Fields | undefined }
  | { readonly facts: ReadyFacts; readonly isServed: boolean }
  | { readonly problem: string; readonly status: number };

/** The command that waits in the foreground until this process serves. */
export class Caller {
  private isWaiting = true;

  /** @returns undefined for a process that nobody waits for */
  static find(): Caller | undefined {
    return process.env[IN_BACKGROUND] !== undefined && process.connected ? new Caller() : undefined;
  }

  private constructor() {
    // A command that was killed is not to be followed by a mount.
    process.on("disconnect", () => this.isWaiting && process.kill(process.pid, "SIGTERM"));
  }

  order(): Promise<Order> {
    return new Promise((resolve) => {
      process.once("message", (order) => {
        process.channel?.unref();
        resolve(order as Order);
      });
      this.tell({ wants: "order" });
    });
  }

  hear = (level: Level, message: string, fields?: Fields): void => this.tell({ level, message, fields });

  ready(facts: ReadyFacts, isServed: boolean): void {
    this.end({ facts, isServed });
  }

  failed(problem: string, status: number): void {
    this.end({ problem, status });
  }

  private tell(what: Told): void {
    if (this.isWaiting && process.connected) process.send?.(what);
  }

  private end(what: Told): void {
    this.tell(what);
    this.isWaiting = false;
    if (process.connected) process.disconnect();
  }
}
