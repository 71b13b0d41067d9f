import { u64 } from "../bytes/u64.ts";
import { type Counters, countersOf, newCounters, pour } from "../counters/counters.ts";
import { type AccountsBuffer, FileAccounts } from "../counters/file-accounts.ts";
import { NOW, type Now, nowOf } from "../counters/inflight.ts";
import { type HintBoardBuffers, HintBoard } from "../readahead/hint-board.ts";
import { InodeCacheMap } from "../readahead/inode-cache-map.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, slotOf, VIRTUAL } from "../vfs/node-id.ts";
import { type Frame, PAYLOAD } from "./frame.ts";
import type { Turn } from "./turn.ts";
import { ENTRY, FORGET } from "./wire.ts";
import { OP } from "../vfs/opcodes.ts";

/** What all workers share about one image of a session, besides the image. */
export interface TenantBuffers {
  readonly slot: number;
  /** See metrics/counters: a slot a thread. */
  readonly counters: SharedArrayBuffer;
  /** See readahead/inode-cache-map. */
  readonly inodes: SharedArrayBuffer;
  readonly lookups: SharedArrayBuffer;
  /** Absent when nothing is to be read ahead. */
  readonly board: HintBoardBuffers | undefined;
  /** By slot, where files are counted one by one; absent when they are not. */
  readonly accounts: readonly AccountsBuffer[] | undefined;
}

/** Where a worker keeps its books. */
export interface Seat {
  /** Its own: of what it does now, and of lookups. */
  readonly index: number;
  /** Of whatever is counted: its own, unless it has to take turns. */
  readonly slot: number;
  readonly turn: Turn | undefined;
}

/** What one worker keeps of one image. */
interface Tenant {
  readonly counters: Counters;
  /** Where they go, when a slot is shared. */
  readonly total: Counters;
  readonly inodes: InodeCacheMap;
  /** TOLD and FORGOTTEN of this worker. */
  readonly lookups: Float64Array;
  readonly board: HintBoard | undefined;
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
  /** What the thread is answering. */
  readonly now: Now;
  private readonly seat: Seat;
  /** What was counted since the last turn, where the slot is shared: of one request. */
  private readonly scratch: Counters | undefined;
  private readonly onSequential: (slot: number) => void;
  private readonly tenants: (Tenant | undefined)[] = [];
  private readonly virtual: Tenant;
  private rootSlot = VIRTUAL;

  /**
   * @param session counters of what concerns no image: virtual directories, INIT
   * @param doing see counters/inflight
   * @param onSequential told when small files of an image are read one after another and no thread reads ahead
   */
  constructor(
    session: SharedArrayBuffer,
    doing: SharedArrayBuffer,
    seat: Seat,
    onSequential: (slot: number) => void,
  ) {
    this.now = nowOf(doing, seat.index);
    this.seat = seat;
    this.scratch = seat.turn && countersOf(newCounters(1), 0);
    this.onSequential = onSequential;
    this.virtual = {
      counters: this.countersIn(session),
      total: countersOf(session, seat.slot),
      inodes: new InodeCacheMap(0),
      lookups: new Float64Array(CELLS),
      board: undefined,
      accounts: undefined,
    };
  }

  add({ slot, counters, inodes, lookups, board, accounts }: TenantBuffers): void {
    this.tenants[slot] = {
      counters: this.countersIn(counters),
      total: countersOf(counters, this.seat.slot),
      inodes: new InodeCacheMap(inodes),
      lookups: new Float64Array(lookups, 8 * CELLS * this.seat.index, CELLS),
      board: board && new HintBoard(board, () => this.onSequential(slot)),
      accounts: accounts && new FileAccounts(accounts[this.seat.slot]),
    };
  }

  /** Where this worker counts what goes to these counters; to be settled, when it has to take turns. */
  countersIn(counters: SharedArrayBuffer): Counters {
    return this.scratch ?? countersOf(counters, this.seat.slot);
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
    tenant.inodes.noteLookup(localOf(node));
    tenant.lookups[TOLD]++;
  }

  /** A directory of the node's image was listed with attributes. */
  noteListing(node: number): void {
    this.of(node).board?.noteListing();
  }

  /** A READ from byte 0 on was answered. @param position of its data, see `FileSystem.readFrom` */
  noteRead(node: number, position: number): void {
    const tenant = this.of(node);
    this.now[NOW.FILE] = node;
    tenant.inodes.notePages(localOf(node));
    tenant.board?.noteRead(localOf(node), position);
  }

  /** An answer, which lies in the frame, is counted for the file that was asked about, where files are. */
  account(node: number, f: Frame, opcode: number, result: number): void {
    const { accounts } = this.of(node);
    if (accounts === undefined) return;
    const found = opcode === OP.LOOKUP && result > 0 ? u64(f.outView, PAYLOAD + ENTRY.NODEID) : 0;
    this.seat.turn?.take();
    accounts.count(opcode, localOf(node), result, slotOf(found) === slotOf(node) ? localOf(found) : 0);
    this.seat.turn?.give();
  }

  /** A request about a node was answered and counted. */
  settle(node: number): void {
    if (this.scratch === undefined) return;
    this.seat.turn?.take();
    pour(this.scratch, this.of(node).total);
    this.seat.turn?.give();
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
