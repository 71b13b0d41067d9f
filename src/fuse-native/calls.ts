import { EIO } from "../bytes/errno.ts";
import { COUNT, type Counters, countAnswer } from "../counters/counters.ts";

/** Counts calls, and turns what is thrown into -EIO: an exception in a handler would end the process. */
export class Calls {
  readonly counters: Counters;
  private readonly onUnexpected: (opcode: number, error: unknown) => void;

  constructor(counters: Counters, onUnexpected: (opcode: number, error: unknown) => void) {
    this.counters = counters;
    this.onUnexpected = onUnexpected;
  }

  /**
   * @param opcode under which it is counted: libfuse turns LOOKUP into getattr, so that GETATTR is both
   * @returns what `work` does: 0, a count or -errno
   */
  run(opcode: number, work: () => number): number {
    const { counters } = this;
    const begin = performance.now();
    counters[opcode]++;
    let result: number;
    try {
      result = work();
    } catch (error) {
      counters[COUNT.UNEXPECTED]++;
      this.onUnexpected(opcode, error);
      result = -EIO;
    }
    countAnswer(counters, opcode, result, 1000 * (performance.now() - begin));
    return result;
  }
}
