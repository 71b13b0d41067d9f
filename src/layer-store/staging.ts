import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import type { StorePlaces } from "./store-places.ts";

const FULL = new Set(["ENOSPC", "EDQUOT"]);

/** Where a store makes things before they have their names. */
export class Staging {
  private readonly places: StorePlaces;
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(places: StorePlaces) {
    this.places = places;
  }

  /**
   * Gives work a directory of its own, of which nothing is left.
   *
   * @throws what the work throws; OperationalError naming the store when its disk is full
   */
  within<T>(work: (stage: string) => Promise<T>): Promise<T> {
    const result = this.once(work);
    this.underWay.add(result);
    const forget = () => this.underWay.delete(result);
    result.then(forget, forget);
    return result;
  }

  /** Waits until nothing is left of the work that is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.underWay);
  }

  private async once<T>(work: (stage: string) => Promise<T>): Promise<T> {
    const stage = join(this.places.staging, randomBytes(8).toString("hex"));
    try {
      await mkdir(stage, { mode: 0o700 });
      return await work(stage);
    } catch (error) {
      throw this.named(error);
    } finally {
      await rm(stage, { recursive: true, force: true });
    }
  }

  /** What was written when the disk was full has a name that says nothing. */
  private named(error: unknown): unknown {
    const code = codeOf(error) || (error instanceof Error ? codeOf(error.cause) : "");
    if (!FULL.has(code)) return error;
    return new OperationalError(`layer store ${this.places.root}: ${code}: the disk is full`, {
      cause: error,
      advice: "make room there",
    });
  }
}
