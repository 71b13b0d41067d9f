import { write } from "node:fs";
import { promisify } from "node:util";
import { codeOf, messageOf } from "../bytes/errors.ts";
import { connectionEnd } from "../fuse/connection-errors.ts";
import type { Logger } from "../log/log.ts";

/** Writes one message to the FUSE device; rejects with the system error. */
export type DeviceWrite = (message: Buffer) => Promise<unknown>;

const writeTo = promisify(write);

export const deviceWrite =
  (fd: number): DeviceWrite =>
  (message) =>
    writeTo(fd, message);

/**
 * Writes notifications to the kernel from threads of libuv's: the kernel may make them wait for requests, or for a
 * caller that holds a directory.
 */
export class Notifier {
  private readonly write: DeviceWrite;
  private readonly log: Logger;
  private readonly pending = new Set<Promise<void>>();
  private isClosed = false;

  constructor(write: DeviceWrite, log: Logger) {
    this.write = write;
    this.log = log;
  }

  /** Writes them one after the other. Resolves when the kernel has acted upon all, or the connection is gone. */
  notify(messages: readonly Buffer[]): Promise<void> {
    const told = this.writeAll(messages).finally(() => this.pending.delete(told));
    this.pending.add(told);
    return told;
  }

  /** What was not written yet is not written any more. */
  end(): void {
    this.isClosed = true;
  }

  /** Resolves when nothing is being written to the device any more. */
  async close(): Promise<void> {
    this.end();
    await Promise.all(this.pending);
  }

  private async writeAll(messages: readonly Buffer[]): Promise<void> {
    for (const message of messages) {
      if (this.isClosed) return;
      await this.write(message).catch((error: unknown) => this.failed(error));
    }
  }

  /** ENOENT: the kernel does not know the node, so there is nothing to forget. */
  private failed(error: unknown): void {
    if (connectionEnd(error) !== undefined) this.end();
    else if (codeOf(error) !== "ENOENT")
      this.log.warn(`the kernel refused a notification: ${messageOf(error)}`);
  }
}
