import { IN, IN_HEADER } from "../../src/fuse/wire.ts";
import { OP } from "../../src/vfs/opcodes.ts";
import { concat, getNumber, INTERESTING, mutateBytes, otherNumber, putNumber } from "./mutate.ts";
import type { Random } from "./random.ts";

/** Requests one after the other: each its length in two bytes, then itself. */
export function framesOf(input: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at + 2 <= input.length; ) {
    const length = getNumber(input, at, 2);
    frames.push(input.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return frames;
}

export const inputOf = (frames: readonly Uint8Array[]): Uint8Array =>
  concat(...frames.flatMap((frame) => [Uint8Array.of(frame.length & 0xff, frame.length >> 8), frame]));

/** Bodies of the requests that a read-only file system answers, by opcode; of others, of no size in particular. */
const BODIES: ReadonlyMap<number, number> = new Map([
  ...[OP.LOOKUP, OP.GETATTR, OP.READLINK, OP.STATFS].map((op) => [op, 16] as const),
  ...[OP.READ, OP.READDIR, OP.READDIRPLUS].map((op) => [op, 40] as const),
  ...([
    [OP.GETXATTR, 24],
    [OP.LISTXATTR, 8],
    [OP.FORGET, 8],
    [OP.BATCH_FORGET, 40],
    [OP.INTERRUPT, 8],
  ] as const),
]);
const NAMES = [
  "d",
  "file",
  "link",
  "symlink",
  "..",
  ".",
  "late",
  "\0",
  "",
  "x".repeat(255),
  "x".repeat(300),
  "user.a",
  "1",
  "2",
  "3",
];
const OPCODES = [...BODIES.keys()];

function frameOf(opcode: number, node: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(IN_HEADER + body.length);
  putNumber(frame, 0, 4, frame.length);
  putNumber(frame, IN.OPCODE, 4, opcode);
  putNumber(frame, IN.NODEID, 8, node);
  frame.set(body, IN_HEADER);
  return frame;
}

/** A READ of a page, and a listing, of many nodes one after the other. */
const reading = (opcode: number): Uint8Array =>
  inputOf(
    Array.from({ length: 24 }, (_, i) => {
      const body = new Uint8Array(40);
      putNumber(body, 16, 4, 4096);
      return frameOf(i === 0 ? OP.READDIRPLUS : opcode, i === 0 ? 1 : 128 + 2 * i, body);
    }),
  );

export const SEED_FRAMES: readonly Uint8Array[] = [
  ...[OP.READ, OP.READDIR, OP.READDIRPLUS, OP.GETATTR].map(reading),
  inputOf(NAMES.map((name) => frameOf(OP.LOOKUP, 1, Buffer.from(`${name}\0`, "latin1")))),
  inputOf(OPCODES.map((opcode) => frameOf(opcode, 1, new Uint8Array(BODIES.get(opcode) ?? 0)))),
  inputOf(
    NAMES.map((name) => frameOf(OP.GETXATTR, 130, Buffer.from(`\0\u0010\0\0\0\0\0\0${name}\0`, "latin1"))),
  ),
];

/** @param nodes that are there */
export const mutateFrames =
  (nodes: readonly number[]) =>
  (input: Uint8Array, other: Uint8Array, random: Random): Uint8Array => {
    const frames = framesOf(input);
    if (frames.length === 0 || random.once(30)) return mutateBytes(input, other, random);
    const i = random.below(frames.length);
    const frame = frames[i].slice();
    frames[i] = frame;
    switch (random.below(8)) {
      case 0:
        putNumber(
          frame,
          IN.OPCODE,
          4,
          random.once(4) ? otherNumber(getNumber(frame, IN.OPCODE, 4), random) : random.below(64),
        );
        break;
      case 1:
      case 2:
        putNumber(frame, IN.NODEID, 8, nodeOf(nodes, random));
        break;
      case 3: {
        const [at, width] = random.pick([
          [40, 4],
          [40, 8],
          [48, 8],
          [56, 4],
          [16, 8],
          [24, 4],
        ] as const);
        putNumber(frame, at, width, otherNumber(getNumber(frame, at, width), random));
        break;
      }
      case 4: {
        const head = frame.subarray(
          0,
          getNumber(frame, IN.OPCODE, 4) === OP.GETXATTR ? IN_HEADER + 8 : IN_HEADER,
        );
        frames[i] = concat(head, Buffer.from(`${random.pick(NAMES)}\0`, "latin1"));
        break;
      }
      case 5:
        frames[i] = frame.subarray(0, random.below(frame.length + 1));
        break;
      case 6:
        frames.splice(i, random.once(2) ? 1 : 0, ...framesOf(other).slice(0, 1 + random.below(4)));
        break;
      default: {
        const opcode = random.pick(OPCODES);
        frames.splice(
          i,
          0,
          frameOf(
            opcode,
            nodeOf(nodes, random),
            random.bytes(BODIES.get(opcode) ?? 8).map((byte) => (random.once(3) ? byte : 0)),
          ),
        );
      }
    }
    return inputOf(frames);
  };

const nodeOf = (nodes: readonly number[], random: Random): number =>
  random.once(3)
    ? random.pick(INTERESTING)
    : random.pick(nodes) +
      (random.once(3) ? random.below(4) * 2 ** 32 : 0) +
      (random.once(6) ? 2 ** 20 * 2 ** 32 : 0);
