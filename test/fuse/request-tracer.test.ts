import { describe, expect, it } from "vitest";
import { putU64 } from "../../src/bytes/u64.ts";
import { CONTROL, newControl } from "../../src/fuse/control.ts";
import { newFrame, PAYLOAD } from "../../src/fuse/frame.ts";
import { RequestTracer, traceLogged } from "../../src/fuse/request-tracer.ts";
import { ENTRY, IN, IN_HEADER } from "../../src/fuse/wire.ts";
import { OP } from "../../src/vfs/opcodes.ts";

const UNIQUE = 2n ** 63n + 12n; // sent again after a takeover

/** A request as the kernel would send it. */
function frameOf(opcode: number, body: Uint8Array) {
  const f = newFrame(65_536);
  f.inView.setUint32(IN.OPCODE, opcode, true);
  f.inView.setBigUint64(IN.UNIQUE, UNIQUE, true);
  f.inView.setUint32(IN.PID, 77, true);
  f.in.set(body, IN_HEADER);
  f.length = IN_HEADER + body.length;
  return f;
}

const u64s = (...numbers: number[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(numbers, BigInt).buffer);
const text = (...parts: (Uint8Array | string)[]) => Buffer.concat(parts.map((part) => Buffer.from(part)));

function tracer() {
  const control = new Int32Array(newControl(1));
  const lines: string[] = [];
  return { control, lines, tracer: new RequestTracer(control, (line) => lines.push(line)) };
}

describe("a request shows", () => {
  const cases: [name: string, opcode: number, body: Uint8Array, want: string][] = [
    ["the name of a LOOKUP", OP.LOOKUP, text("etc\0"), ' name="etc"'],
    ["a name that would end the line", OP.LOOKUP, text("a\nb\0"), ' name="a\\x0ab"'],
    ["an empty name of a LOOKUP that is cut off", OP.LOOKUP, text(""), ' name=""'],
    ["the range of a READ", OP.READ, u64s(0, 8192, 4096), " offset=8192 size=4096"],
    ["the range of a READDIRPLUS", OP.READDIRPLUS, u64s(0, 3, 4096), " offset=3 size=4096"],
    ["the name of a GETXATTR", OP.GETXATTR, text(u64s(64), "user.x\0"), ' name="user.x" size=64'],
    ["the room of a LISTXATTR", OP.LISTXATTR, u64s(64), " size=64"],
    ["the lookups of a FORGET", OP.FORGET, u64s(5), " nlookup=5"],
    ["the nodes of a BATCH_FORGET", OP.BATCH_FORGET, u64s(2), " count=2"],
    ["what an INTERRUPT is about", OP.INTERRUPT, u64s(10), " interrupts=10"],
    ["the protocol of INIT", OP.INIT, u64s(7 + 45 * 2 ** 32), " protocol=7.45"],
    ["nothing more of a GETATTR", OP.GETATTR, u64s(0, 0), ""],
  ];
  it.each(cases)("%s", (_, opcode, body, want) => {
    const { tracer: t, lines } = tracer();
    expect(t.request(frameOf(opcode, body), opcode, 3)).toBe(true);
    const head = /^request unique=9223372036854775820 op=\w+ node=3 pid=77/;
    expect(lines).toEqual([expect.stringMatching(head)]);
    expect(lines[0]?.replace(head, "")).toBe(want);
  });
});

it("a reply to LOOKUP shows the node, but not one that says that there is none", () => {
  const { tracer: t, lines } = tracer();
  const f = frameOf(OP.LOOKUP, text("x\0"));
  putU64(f.outView, PAYLOAD + ENTRY.NODEID, 99);
  t.reply(f, OP.LOOKUP, 128, 10);
  t.reply(f, OP.LOOKUP, -2, 10);
  expect(lines).toEqual([
    "reply unique=9223372036854775820 op=lookup bytes=128 node=99 us=10",
    "reply unique=9223372036854775820 op=lookup errno=ENOENT us=10",
  ]);
});

it("leaves out requests with their replies while too many lines wait, and says how many", () => {
  const { tracer: t, control, lines } = tracer();
  const f = frameOf(OP.GETATTR, u64s(0, 0));
  const shown = Array.from({ length: 3000 }, () => {
    const isShown = t.request(f, OP.GETATTR, 1);
    if (isShown) t.reply(f, OP.GETATTR, 104, 1);
    return isShown;
  });
  expect(shown.filter((each) => each).length).toBe(2048);
  expect(lines.length).toBe(4096);
  expect(traceLogged(control)).toBe(952);
  expect(traceLogged(control)).toBe(0);
  expect(t.request(f, OP.GETATTR, 1)).toBe(true); // two lines were logged
  expect(t.request(f, OP.GETATTR, 1)).toBe(false);
});

it("keeps no room for the reply of a request that gets none", () => {
  const { tracer: t, control } = tracer();
  t.request(frameOf(OP.FORGET, u64s(1)), OP.FORGET, 1);
  t.noReply();
  traceLogged(control);
  expect(control[CONTROL.TRACE_WAITING]).toBe(0);
});
