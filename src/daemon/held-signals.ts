import { setImmediate } from "node:timers/promises";
import { OperationalError } from "../bytes/errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Why a mount that somebody has asked for is not there. */
export const stoppedBy = (signal: NodeJS.Signals): OperationalError =>
  new OperationalError(`${signal} before it was ready: nothing is mounted`);

/**
 * Signals that would end the process while it mounts, and leave a mount that nobody was told of: they are held until it is known
 * what there is.
 */
export class HeldSignals {
  private asked: NodeJS.Signals | undefined;
  private readonly take = (signal: NodeJS.Signals): void => {
    this.asked ??= signal;
  };

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.take);
  }

  /** @returns the first that came */
  async come(): Promise<NodeJS.Signals | undefined> {
    await setImmediate(); // Node hears of signals between two turns
    return this.asked;
  }

  /** From now on they do again what they did. */
  release(): void {
    for (const signal of SIGNALS) process.off(signal, this.take);
  }
}
