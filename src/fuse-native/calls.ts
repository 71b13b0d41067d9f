import { EIO } from "../bytes/errno.ts";
import { COUNT, type Counters, countAnswer } from "../counters/counters.ts";
import { quoted, replyLine, requestLine } from "../vfs/request-lines.ts";

/** What is done about calls besides answering them. */
export interface CallObserver {
  readonly counters: Counters;
  /** Called with an exception in a handler; the request is answered EIO. */
  readonly onUnexpected: (opcode: number, error: unknown) => void;
  readonly trace: (line: string) => void;
  /** Tells now, and whenever it changes, whether `trace` is to be given a line a call and a line an answer. */
  readonly watchTrace: (changed: (isTraced: boolean) => void) => void;
}

export const quotedText = (text: string): string => quoted(Buffer.from(text));
const NONE = () => "";

/** Counts calls, traces them, and turns what is thrown into -EIO: an exception in a handler would end the process. */
export class Calls {
  readonly counters: Counters;
  private readonly onUnexpected: (opcode: number, error: unknown) => void;
  private readonly trace: (line: string) => void;
  private isTraced = false;
  /** Of calls that are traced: libfuse does not say what the kernel numbers them. */
  private number = 0;

  constructor({ counters, onUnexpected, trace, watchTrace }: CallObserver) {
    this.counters = counters;
    this.onUnexpected = onUnexpected;
    this.trace = trace;
    watchTrace((isTraced) => {
      this.isTraced = isTraced;
    });
  }

  /**
   * @param opcode under which it is counted: libfuse turns LOOKUP into getattr, so that GETATTR is both
   * @param details of the call besides its path, asked for only when it is traced
   * @returns what `work` does: 0, a count or -errno
   */
  run(opcode: number, path: string, work: () => number, details: () => string = NONE): number {
    const { counters } = this;
    const { isTraced } = this;
    if (isTraced) this.trace(requestLine(++this.number, opcode, `path=${quotedText(path)}${details()}`));
    const begin = performance.now();
    counters[opcode] = (counters[opcode] ?? 0) + 1;
    let result: number;
    try {
      result = work();
    } catch (error) {
      counters[COUNT.UNEXPECTED] = (counters[COUNT.UNEXPECTED] ?? 0) + 1;
      this.onUnexpected(opcode, error);
      result = -EIO;
    }
    const us = 1000 * (performance.now() - begin);
    countAnswer(counters, opcode, result, us);
    if (isTraced) this.trace(replyLine(this.number, opcode, result, us));
    return result;
  }
}
