import { putU64 } from "../../src/bytes/u64.ts";
import { newFrame } from "../../src/fuse/frame.ts";
import { FORGET } from "../../src/fuse/wire.ts";
import { ChangeInbox } from "../../src/session/change-inbox.ts";
import type { ImageTable } from "../../src/session/image-table.ts";
import type { Publisher } from "../../src/session/publisher.ts";
import { WorkerImages } from "../../src/session/worker-images.ts";
import { newAttr, ROOT_NODE } from "../../src/vfs/file-system.ts";

/** A node that the kernel holds, and what the file was when it was opened. */
export interface Held {
  readonly node: number;
  readonly content: string;
}

/** One worker of a session, and a kernel that has it look names up, read and forget. */
export class KernelModel {
  private readonly images: WorkerImages;
  private readonly inbox: ChangeInbox;
  private readonly frame = newFrame(4096);
  private readonly nlookup = new Map<number, number>();

  constructor(
    table: ImageTable,
    publisher: Publisher,
    control: Int32Array,
    inflightTable: SharedArrayBuffer,
  ) {
    this.images = new WorkerImages(
      {
        traits: { hasXattrs: true, hasAcls: true },
        since: 0,
        isFixed: false,
        maxOpen: 16,
        counters: table.slots.session,
        inflightTable,
      },
      { index: 0, row: 0, mutex: undefined },
      () => {},
    );
    this.inbox = new ChangeInbox(publisher.subscribe(0), control, 0, (change) => this.images.apply(change));
    this.images.apply(table.snapshot());
  }

  /** As before each request. */
  catchUp(): void {
    this.inbox.catchUp();
  }

  /** Walks a path as open(2) does. @returns undefined when a name on it does not exist */
  open(path: string): Held | undefined {
    this.catchUp();
    const fs = this.images.fileSystem();
    let node = ROOT_NODE;
    const passed: number[] = [];
    for (const name of path.split("/").filter((each) => each !== "")) {
      const bytes = Buffer.from(name);
      node = fs.lookup(node, bytes, 0, bytes.length);
      if (node <= 0) break;
      this.told(node);
      passed.push(node);
    }
    const last = node > 0 ? passed.pop() : undefined;
    for (const each of passed) this.forget(each);
    return last === undefined ? undefined : { node: last, content: this.read(last) };
  }

  read(node: number): string {
    this.catchUp();
    const fs = this.images.fileSystem();
    const attr = newAttr();
    const isThere = fs.attr(node, attr);
    if (isThere < 0) return `error ${-isThere}`;
    const out = new Uint8Array(4096);
    const length = fs.read(node, 0, attr.size, out, 0);
    return length < 0 ? `error ${-length}` : Buffer.from(out.subarray(0, length)).toString();
  }

  forget(node: number): void {
    this.catchUp();
    const left = (this.nlookup.get(node) ?? 0) - 1;
    if (left > 0) this.nlookup.set(node, left);
    else this.nlookup.delete(node);
    const { frame } = this;
    putU64(frame.inView, FORGET.NODEID, node);
    putU64(frame.inView, FORGET.TIMES, 1);
    this.images.ledger.forget(frame);
  }

  close(): void {
    this.images.close();
  }

  private told(node: number): void {
    this.nlookup.set(node, (this.nlookup.get(node) ?? 0) + 1);
    this.images.ledger.noteLookup(node);
  }
}
