import { u64 } from "../bytes/u64.ts";
import { type Counters, countersOf, NOW } from "../metrics/counters.ts";
import { type AccountsBuffer, FileAccounts } from "../metrics/file-accounts.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, slotOf, VIRTUAL } from "../vfs/node-id.ts";
import { type Frame, PAYLOAD } from "./frame.ts";
import { Known } from "./known.ts";
import { type BoardBuffers, PushBoard } from "./push-board.ts";
import { ENTRY, FORGET, OP } from "./wire.ts";

/** What all workers share about one image of a session, besides the image. */
export interface TenantBuffers {
  readonly slot: number;
  /** See metrics/counters: a slot a thread. */
  readonly counters: SharedArrayBuffer;
  readonly known: SharedArrayBuffer;
  readonly lookups: SharedArrayBuffer;
  /** Absent when nothing is to be pushed. */
  readonly board: BoardBuffers | undefined;
  /** By worker, where files are counted one by one; absent when they are not. */
  readonly accounts: readonly AccountsBuffer[] | undefined;
}

/** What one worker keeps of one image. */
interface Tenant {
  readonly counters: Counters;
  readonly known: Known;
  /** TOLD and FORGOTTEN of this worker. */
  readonly lookups: Float64Array;
  readonly board: PushBoard | undefined;
  readonly accounts: FileAccounts | undefined;
}

const TOLD = 0;
const FORGOTTEN = 1;
const CELLS = 2;

/**
 * How often the kernel was told of a node of an image, and how often it forgot: two counts a worker, which only grow. The
 * last ones are of processes that served before.
 */
export const newLookups = (workers: number): SharedArrayBuffer =>
  new SharedArrayBuffer(8 * CELLS * (workers + 1));

/** What the kernel had of an image when another process stopped serving it; NaN: nobody knows, so it never forgets. */
export function inheritLookups(lookups: SharedArrayBuffer, balance: number): void {
  const cells = new Float64Array(lookups);
  cells[cells.length - CELLS + TOLD] = balance;
}

/** How many lookups the kernel has of an image while nobody serves it; NaN: nobody knows. */
export const balanceOf = (lookups: SharedArrayBuffer): number => balanceIn(new Float64Array(lookups));

function balanceIn(cells: Float64Array): number {
  let balance = 0;
  for (let at = 0; at < cells.length; at += CELLS) balance += cells[at + TOLD] - cells[at + FORGOTTEN];
  return balance;
}

/**
 * Whether there is a moment at which the kernel has forgotten every node of all these images. Workers count meanwhile,
 * but counts that were the same when they were read twice had those values in between.
 */
export function areForgotten(lookups: readonly SharedArrayBuffer[]): boolean {
  const cells = lookups.map((each) => new Float64Array(each));
  const before = cells.map((each) => each.slice());
  return (
    before.every((each) => balanceIn(each) === 0) &&
    cells.every((each, i) => each.every((value, at) => value === before[i][at]))
  );
}

/** The images of a session as one worker keeps its books of them. */
export class Tenants {
  /** Of what concerns no image: virtual directories, INIT, what the thread is doing now. */
  readonly session: Counters;
  private readonly index: number;
  private readonly onSequential: (slot: number) => void;
  private readonly tenants: (Tenant | undefined)[] = [];
  private readonly virtual: Tenant;
  private rootSlot = VIRTUAL;

  /**
   * @param index of the worker
   * @param onSequential told when small files of an image are read one after another and nobody pushes them
   */
  constructor(counters: SharedArrayBuffer, index: number, onSequential: (slot: number) => void) {
    this.session = countersOf(counters, index);
    this.index = index;
    this.onSequential = onSequential;
    this.virtual = {
      counters: this.session,
      known: new Known(0),
      lookups: new Float64Array(CELLS),
      board: undefined,
      accounts: undefined,
    };
  }

  add({ slot, counters, known, lookups, board, accounts }: TenantBuffers): void {
    this.tenants[slot] = {
      counters: countersOf(counters, this.index),
      known: new Known(known),
      lookups: new Float64Array(lookups, 8 * CELLS * this.index, CELLS),
      board: board && new PushBoard(board, () => this.onSequential(slot)),
      accounts: accounts && new FileAccounts(accounts[this.index]),
    };
  }

  remove(slot: number): void {
    this.tenants[slot] = undefined;
  }

  /** Whose the session's root is; VIRTUAL when it is nobody's. */
  setRoot(slot: number): void {
    this.rootSlot = slot;
  }

  countersAt(node: number): Counters {
    return this.of(node).counters;
  }

  /** The kernel is about to be told of a node. It keeps the root whatever happens. */
  tell(node: number): void {
    if (node === ROOT_NODE) return;
    const tenant = this.of(node);
    tenant.known.tell(localOf(node));
    tenant.lookups[TOLD]++;
  }

  /** A directory of the node's image was listed with attributes. */
  noteListing(node: number): void {
    this.of(node).board?.noteListing();
  }

  /** A READ from byte 0 on was answered. @param position of its data, see `FileSystem.readFrom` */
  noteRead(node: number, position: number): void {
    const tenant = this.of(node);
    this.session[NOW.FILE] = node;
    tenant.known.cache(localOf(node));
    tenant.board?.noteRead(localOf(node), position);
  }

  /** An answer, which lies in the frame, is counted for the file that was asked about, where files are. */
  account(node: number, f: Frame, opcode: number, result: number): void {
    const { accounts } = this.of(node);
    if (accounts === undefined) return;
    const found = opcode === OP.LOOKUP && result > 0 ? u64(f.outView, PAYLOAD + ENTRY.NODEID) : 0;
    accounts.count(opcode, localOf(node), result, slotOf(found) === slotOf(node) ? localOf(found) : 0);
  }

  /** FORGET: one node. */
  forget(f: Frame): void {
    const node = u64(f.inView, FORGET.NODEID);
    this.of(node).lookups[FORGOTTEN] += u64(f.inView, FORGET.TIMES);
  }

  /** BATCH_FORGET: many. */
  forgetAll(f: Frame): void {
    const fitting = Math.floor((f.length - FORGET.LIST) / FORGET.STRIDE);
    const count = Math.min(f.inView.getUint32(FORGET.COUNT, true), fitting);
    for (let i = 0; i < count; i++) {
      const at = FORGET.LIST + i * FORGET.STRIDE;
      this.of(u64(f.inView, at)).lookups[FORGOTTEN] += u64(f.inView, at + 8);
    }
  }

  private of(node: number): Tenant {
    const slot = slotOf(node);
    return this.tenants[slot === 0 && node === ROOT_NODE ? this.rootSlot : slot] ?? this.virtual;
  }
}
