import { describe, expect, it } from "vitest";
import { EINVAL, ENOSYS } from "../../src/bytes/errno.ts";
import { type Frame, newFrame, PAYLOAD } from "../../src/fuse/frame.ts";
import { answer, NO_REPLY } from "../../src/fuse/ops.ts";
import { newNlookup } from "../../src/fuse/nlookup.ts";
import { WorkerLedger } from "../../src/fuse/worker-ledger.ts";
import { FORGET, IN_HEADER } from "../../src/fuse/wire.ts";
import { OP } from "../../src/vfs/opcodes.ts";
import { newCounters } from "../../src/counters/counters.ts";
import { newInflight } from "../../src/counters/inflight.ts";
import { serveFixture } from "../support/image.ts";

const ROOM = 4096;
const { fs } = serveFixture("01-basic");

/** A request whose buffer holds ones wherever the request itself does not reach. */
function frameOf(opcode: number, length: number, fill: (v: DataView) => void = () => {}): Frame {
  const frame = newFrame(ROOM);
  frame.in.fill(0xff);
  frame.in.fill(0, 0, length);
  frame.inView.setUint32(4, opcode, true);
  frame.inView.setUint32(16, 1, true);
  fill(frame.inView);
  frame.length = length;
  return frame;
}

function ask(frame: Frame, opcode: number): { result: number; forgotten: number } {
  const lookups = newNlookup(1);
  const ledger = new WorkerLedger(
    newCounters(1),
    newInflight(1),
    { index: 0, row: 0, mutex: undefined },
    () => {},
  );
  const shared = () => new SharedArrayBuffer(1024);
  ledger.add({
    slot: 0,
    counters: newCounters(1),
    inodes: shared(),
    nlookup: lookups,
    board: undefined,
    accounts: undefined,
  });
  ledger.setRoot(0);
  const result = answer(fs, frame, ledger, opcode);
  expect(frame.out.subarray(PAYLOAD).length).toBe(ROOM);
  return { result, forgotten: new Float64Array(lookups)[1] };
}

describe("a request that is cut off is answered EINVAL, and what lay in the buffer before is not taken for the rest", () => {
  it.each([
    ["LOOKUP", OP.LOOKUP, IN_HEADER],
    ["READ", OP.READ, IN_HEADER + 19],
    ["READDIR", OP.READDIR, IN_HEADER],
    ["READDIRPLUS", OP.READDIRPLUS, IN_HEADER + 16],
    ["GETXATTR", OP.GETXATTR, IN_HEADER + 8],
    ["LISTXATTR", OP.LISTXATTR, IN_HEADER + 3],
  ])("%s", (_, opcode, length) => expect(ask(frameOf(opcode, length), opcode).result).toBe(-EINVAL));

  it.each([
    ["FORGET", OP.FORGET, IN_HEADER + 7],
    ["BATCH_FORGET", OP.BATCH_FORGET, IN_HEADER + 7],
  ])("%s has no answer, and forgets nothing", (_, opcode, length) =>
    expect(ask(frameOf(opcode, length), opcode)).toEqual({ result: NO_REPLY, forgotten: 0 }),
  );

  it("an opcode that there is not answers ENOSYS", () =>
    expect(ask(frameOf(4096, IN_HEADER), 4096).result).toBe(-ENOSYS));
});

it("BATCH_FORGET forgets as many as are in it, whatever it says", () => {
  const two = FORGET.LIST + 2 * FORGET.STRIDE;
  const frame = frameOf(OP.BATCH_FORGET, two, (v) => {
    v.setUint32(FORGET.COUNT, 0xffff_ffff, true);
    for (const at of [FORGET.LIST, FORGET.LIST + FORGET.STRIDE]) {
      v.setUint32(at, 1, true);
      v.setUint32(at + 8, 3, true);
    }
  });
  expect(ask(frame, OP.BATCH_FORGET)).toEqual({ result: NO_REPLY, forgotten: 6 });
});
