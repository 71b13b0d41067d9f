import { EIO, ENODATA, ENOENT, ENOSYS, ERANGE } from "../bytes/errno.ts";
import { COUNT, type Counters } from "../metrics/counters.ts";

/** Where each kind of call is counted. libfuse turns LOOKUP into getattr, so that there is one for both. */
export interface Opcodes {
  readonly GETATTR: number;
  readonly READLINK: number;
  readonly READ: number;
  readonly STATFS: number;
  readonly GETXATTR: number;
  readonly LISTXATTR: number;
  readonly READDIR: number;
}

/** Counts calls, and turns what is thrown into -EIO: an exception in a handler would end the process. */
export class Calls {
  readonly counters: Counters;
  private readonly onUnexpected: (opcode: number, error: unknown) => void;

  constructor(counters: Counters, onUnexpected: (opcode: number, error: unknown) => void) {
    this.counters = counters;
    this.onUnexpected = onUnexpected;
  }

  /** @returns what `work` does: 0, a count or -errno */
  run(opcode: number, work: () => number): number {
    const { counters } = this;
    counters[opcode]++;
    let result: number;
    try {
      result = work();
    } catch (error) {
      counters[COUNT.UNEXPECTED]++;
      this.onUnexpected(opcode, error);
      result = -EIO;
    }
    if (result < 0) this.countError(result);
    return result;
  }

  /** What "there is none" and "ask no more" look like is no error to count. */
  private countError(result: number): void {
    if (result !== -ENOENT && result !== -ENODATA && result !== -ENOSYS && result !== -ERANGE)
      this.counters[COUNT.ERRORS]++;
  }
}
