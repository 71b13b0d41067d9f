import { u64 } from "../bytes/u64.ts";
import { OP } from "../vfs/opcodes.ts";
import { quoted, replyLine, requestLine } from "../vfs/request-lines.ts";
import { CONTROL } from "./control.ts";
import { type Frame, PAYLOAD } from "./frame.ts";
import { ENTRY, FORGET, IN, IN_HEADER, INIT_IN, READ_IN, XATTR_IN } from "./wire.ts";

/** Lines that wait for the main thread, of all workers: some MiB at most. More requests are left out, with their replies. */
const MAX_WAITING = 4096;

/** Makes a line of each request and reply of one worker, which the main thread logs (see `traceLogged`). */
export class RequestTracer {
  private readonly control: Int32Array;
  private readonly send: (line: string) => void;

  /** @param send takes a line to the main thread; those of one worker keep their order */
  constructor(control: Int32Array, send: (line: string) => void) {
    this.control = control;
    this.send = send;
  }

  /** @returns whether there is room for the request and its reply; the reply is to be given only then */
  request(f: Frame, opcode: number, node: number): boolean {
    if (Atomics.add(this.control, CONTROL.TRACE_WAITING, 2) > MAX_WAITING - 2) {
      Atomics.sub(this.control, CONTROL.TRACE_WAITING, 2);
      Atomics.add(this.control, CONTROL.TRACE_LEFT_OUT, 1);
      return false;
    }
    const about = [`node=${node}`, `pid=${f.inView.getUint32(IN.PID, true)}`, ...detailsOf(f, opcode)];
    this.send(requestLine(uniqueOf(f), opcode, about.join(" ")));
    return true;
  }

  /** @param us from the request's arrival to the end of its reply */
  reply(f: Frame, opcode: number, result: number, us: number): void {
    const found = opcode === OP.LOOKUP && result > 0 ? `node=${u64(f.outView, PAYLOAD + ENTRY.NODEID)}` : "";
    this.send(replyLine(uniqueOf(f), opcode, result, us, found));
  }

  /** The request gets no reply. */
  noReply(): void {
    Atomics.sub(this.control, CONTROL.TRACE_WAITING, 1);
  }
}

/**
 * Called by the main thread after it has logged a line.
 *
 * @returns how many requests were left out since the last call that said so
 */
export function traceLogged(control: Int32Array): number {
  Atomics.sub(control, CONTROL.TRACE_WAITING, 1);
  return Atomics.exchange(control, CONTROL.TRACE_LEFT_OUT, 0);
}

const uniqueOf = (f: Frame): bigint => f.inView.getBigUint64(IN.UNIQUE, true);

/** A request that is cut off shows zeros or what is there: its length was not checked yet. */
function detailsOf({ in: bytes, inView: v, length }: Frame, opcode: number): string[] {
  const name = (from: number) => `name=${quoted(bytes.subarray(from, Math.max(from, length - 1)))}`;
  switch (opcode) {
    case OP.LOOKUP:
      return [name(IN_HEADER)];
    case OP.READ:
    case OP.READDIR:
    case OP.READDIRPLUS:
      return [`offset=${u64(v, READ_IN.OFFSET)}`, `size=${v.getUint32(READ_IN.SIZE, true)}`];
    case OP.GETXATTR:
      return [name(XATTR_IN.NAME), `size=${v.getUint32(XATTR_IN.SIZE, true)}`];
    case OP.LISTXATTR:
      return [`size=${v.getUint32(XATTR_IN.SIZE, true)}`];
    case OP.FORGET:
      return [`nlookup=${u64(v, FORGET.TIMES)}`];
    case OP.BATCH_FORGET:
      return [`count=${v.getUint32(FORGET.COUNT, true)}`];
    case OP.INTERRUPT:
      return [`interrupts=${v.getBigUint64(IN_HEADER, true)}`];
    case OP.INIT:
      return [`protocol=${v.getUint32(INIT_IN.MAJOR, true)}.${v.getUint32(INIT_IN.MINOR, true)}`];
    default:
      return [];
  }
}
