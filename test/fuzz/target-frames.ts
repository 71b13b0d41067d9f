import { join } from "node:path";
import { nodeCount } from "../../src/erofs/image.ts";
import { type Frame, newFrame, PAYLOAD } from "../../src/fuse/frame.ts";
import { answer, NO_REPLY } from "../../src/fuse/ops.ts";
import { HintBoard, newHintBoard } from "../../src/readahead/hint-board.ts";
import { InodeCacheMap } from "../../src/readahead/inode-cache-map.ts";
import { Streams } from "../../src/readahead/streams.ts";
import { newNlookup } from "../../src/fuse/nlookup.ts";
import { type LedgerBuffers, WorkerLedger } from "../../src/fuse/worker-ledger.ts";
import { IN, IN_HEADER, READ_IN } from "../../src/fuse/wire.ts";
import { OP } from "../../src/vfs/opcodes.ts";
import { newCounters } from "../../src/counters/counters.ts";
import { newAccounts } from "../../src/counters/file-accounts.ts";
import { newInflight } from "../../src/counters/inflight.ts";
import { PseudoFileSystem } from "../../src/pseudo/pseudo-file-system.ts";
import { namesOf, PseudoTree } from "../../src/pseudo/pseudo-tree.ts";
import { type FileSystem, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { nodeIn } from "../../src/vfs/node-id.ts";
import { framesOf, mutateFrames, SEED_FRAMES } from "./mutate-frames.ts";
import { scrutinize } from "./scrutiny.ts";
import { openSeedImage } from "./seed-image.ts";
import { type MakeTarget, must, type Verdict } from "./target.ts";
import { TARS } from "./tars.ts";

/** Payload of an answer, and bytes behind it that nobody may write. */
const ROOM = 64 << 10;
const BEHIND = 4096;
const CANARY = 0xa5;

const FRAME: Frame = (() => {
  const out = new Uint8Array(PAYLOAD + ROOM + BEHIND).fill(CANARY);
  return { ...newFrame(0), out, outView: new DataView(out.buffer), room: ROOM };
})();
const UNTOUCHED = Buffer.alloc(BEHIND, CANARY);

interface Served {
  readonly fs: FileSystem;
  readonly nodes: number;
}

/** Requests of the FUSE device, of an image alone and of some in a tree, with all that is counted of them. */
export const framesTarget: MakeTarget = async (dir) => {
  const images = await Promise.all(TARS.map((tar, i) => open(join(dir, String(i)), tar)));
  const served: Served[] = [images[0], { fs: together(images), nodes: images[0].nodes }];

  const run = (input: Uint8Array): Verdict => {
    let good = 0;
    for (const { fs, nodes } of served) {
      // What lies behind a request is zeros for one and ones for the other: who reads it answers otherwise.
      const sides = [new Side(fs, nodes, 0), new Side(fs, nodes, 0xff)];
      for (const request of framesOf(input)) {
        if (request.length < IN_HEADER) continue; // no opcode: the device gives none of those
        const [a, b] = sides.map((side) => side.ask(request));
        must(a === b, () => `answers what is not in the request: ${a} or ${b}`);
        if (typeof a === "string") good++;
      }
      must(sides[0].books() === sides[1].books(), () => "counts what is not in the request");
      sides[0].follow();
    }
    return good > 0 ? "accepted" : "refused";
  };
  return { seeds: SEED_FRAMES, longest: 16 << 10, memory: 256, mutate: mutateFrames(images[0].known), run };
};

async function open(
  dir: string,
  tar: Uint8Array,
): Promise<Served & { rootNid: number; known: readonly number[] }> {
  const { opened, fs } = await openSeedImage(dir, tar);
  const known = [...scrutinize(opened, false).values()].map(({ node }) => node);
  return { fs, nodes: nodeCount(opened.handle), rootNid: opened.handle.rootNid, known };
}

function together(images: readonly (Served & { rootNid: number })[]): FileSystem {
  const tree = new PseudoTree();
  const fs = new PseudoFileSystem({ hasXattrs: true, hasAcls: true }, 7);
  images.forEach(({ fs: own, rootNid }, i) => {
    const slot = i + 1;
    const root = { rootNode: nodeIn(slot, ROOT_NODE), rootIno: nodeIn(slot, rootNid) };
    const names = namesOf(`/${"d/".repeat(i)}${slot}`) ?? [];
    const { parent, entries } = tree.plan(names, { node: root.rootNode, ino: root.rootIno });
    const placed = [{ slot, serial: slot, rootNid, parent, ...root }];
    fs.apply({ rootSlot: undefined, placed, entries, remaps: [], freed: [] }, () => own);
  });
  return fs;
}

/** One worker's way from a request to its answer, and its books. */
class Side {
  private readonly fs: FileSystem;
  private readonly frame = FRAME;
  private readonly ledger: WorkerLedger;
  private readonly buffers: LedgerBuffers;
  private readonly filler: number;

  constructor(fs: FileSystem, nodes: number, filler: number) {
    this.fs = fs;
    this.filler = filler;
    this.ledger = new WorkerLedger(
      newCounters(1),
      newInflight(1),
      { index: 0, row: 0, mutex: undefined },
      () => {},
    );
    const board = newHintBoard(nodes);
    new Int32Array(board.ranks).forEach((_, node, ranks) => {
      ranks[node] = node + 1;
    });
    new HintBoard(board).setOrdered(true);
    const inodes = new SharedArrayBuffer(nodes);
    this.buffers = {
      slot: 0,
      counters: newCounters(1),
      inodes,
      nlookup: newNlookup(1),
      board,
      accounts: [newAccounts(nodes)],
    };
    this.ledger.add(this.buffers);
    this.ledger.setRoot(0);
  }

  /** @returns the answer, as text where it has bytes */
  ask(request: Uint8Array): number | string {
    const { frame: f, ledger, fs } = this;
    f.in.fill(this.filler, 0, 4096 + 2 * request.length);
    f.in.set(request);
    f.length = request.length;
    const opcode = f.inView.getUint32(IN.OPCODE, true);
    const node = Number(f.inView.getBigUint64(IN.NODEID, true));
    const result = answer(fs, f, ledger, opcode);
    must(
      Number.isInteger(result) && result >= NO_REPLY && result <= ROOM,
      () => `opcode ${opcode} answers ${result}`,
    );
    if (result === NO_REPLY) return result;
    if (opcode === OP.READ && result >= 0)
      must(result <= f.inView.getUint32(READ_IN.SIZE, true), () => `READ answers ${result}`);
    if (opcode === OP.READ && result >= 0) ledger.noteRead(node, fs.readFrom());
    ledger.countFile(node, f, opcode, result);
    const end = PAYLOAD + Math.max(result, 0);
    const text = Buffer.from(f.out.subarray(PAYLOAD, end)).toString("latin1");
    must(UNTOUCHED.equals(f.out.subarray(PAYLOAD + ROOM)), () => `opcode ${opcode} writes beyond its room`);
    return result < 0 ? result : text;
  }

  /** Everything that is counted, but times. */
  books(): string {
    const { nlookup, inodes, board } = this.buffers;
    return [nlookup, inodes, board?.words]
      .map((shared) => Buffer.from(shared as SharedArrayBuffer).toString("hex"))
      .join(" ");
  }

  /** What readahead would make of it: spans within the image, once each. */
  follow(): void {
    const { board } = this.buffers;
    if (board === undefined) return;
    const hints = new HintBoard(board);
    const span = { stream: 0, from: 0, to: 0 };
    const streams = new Streams();
    for (let n = 0; n < hints.hints(); n++) {
      streams.follow(hints.hintAt(n), span);
      must(span.to - span.from <= 2048 && span.from >= 0, () => `a span from ${span.from} to ${span.to}`);
      streams.note(span, n % 3, n % 5);
      new InodeCacheMap(this.buffers.inodes).notePages(span.from);
    }
  }
}
