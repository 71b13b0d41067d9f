import { u64 } from "../bytes/u64.ts";
import { type Counters, countersOf, newCounters, pour } from "../counters/counters.ts";
import { type AccountsBuffer, FileAccounts } from "../counters/file-accounts.ts";
import { INFLIGHT, type InflightRow, inflightRow } from "../counters/inflight.ts";
import { HintBoard, type HintBoardBuffers } from "../readahead/hint-board.ts";
import { InodeCacheMap } from "../readahead/inode-cache-map.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, slotOf, VIRTUAL } from "../vfs/node-id.ts";
import { type Frame, PAYLOAD } from "./frame.ts";
import { NLOOKUP, newNlookup, nlookupOf } from "./nlookup.ts";
import type { Mutex } from "../counters/mutex.ts";
import { ENTRY, FORGET } from "./wire.ts";
import { OP } from "../vfs/opcodes.ts";

/** What all workers share about one image of a session, besides the image. */
export interface LedgerBuffers {
  readonly slot: number;
  /** See counters/counters: a row a thread. */
  readonly counters: SharedArrayBuffer;
  /** See readahead/inode-cache-map. */
  readonly inodes: SharedArrayBuffer;
  /** See nlookup. */
  readonly nlookup: SharedArrayBuffer;
  /** Absent when nothing is to be read ahead. */
  readonly board: HintBoardBuffers | undefined;
  /** By row, where files are counted one by one; absent when they are not. */
  readonly accounts: readonly AccountsBuffer[] | undefined;
}

/** Where a worker counts. */
export interface LedgerRows {
  /** Of the inflight table and of nlookup: its own. */
  readonly index: number;
  /** Of all other counters: its own, unless there is a mutex. */
  readonly row: number;
  readonly mutex: Mutex | undefined;
}

/** What one worker counts of one image. */
interface Account {
  readonly counters: Counters;
  /** Where they go, when a row is shared. */
  readonly total: Counters;
  readonly inodes: InodeCacheMap;
  /** NLOOKUP of this worker. */
  readonly nlookup: Float64Array;
  readonly board: HintBoard | undefined;
  readonly files: FileAccounts | undefined;
}

/** What one worker counts of its requests, by image. */
export class WorkerLedger {
  /** What the thread is answering. */
  readonly inflight: InflightRow;
  private readonly rows: LedgerRows;
  /** What was counted since the mutex was held last, where the row is shared: of one request. */
  private readonly scratch: Counters | undefined;
  private readonly onSequential: (slot: number) => void;
  private readonly accounts: (Account | undefined)[] = [];
  private readonly virtual: Account;
  private rootSlot = VIRTUAL;

  /**
   * @param session counters of what concerns no image: virtual directories, INIT
   * @param inflightTable see counters/inflight
   * @param onSequential called when small files of an image are read one after another and no thread reads ahead
   */
  constructor(
    session: SharedArrayBuffer,
    inflightTable: SharedArrayBuffer,
    rows: LedgerRows,
    onSequential: (slot: number) => void,
  ) {
    this.inflight = inflightRow(inflightTable, rows.index);
    this.rows = rows;
    this.scratch = rows.mutex && countersOf(newCounters(1), 0);
    this.onSequential = onSequential;
    this.virtual = {
      counters: this.countersIn(session),
      total: countersOf(session, rows.row),
      inodes: new InodeCacheMap(0),
      nlookup: nlookupOf(newNlookup(1), 0),
      board: undefined,
      files: undefined,
    };
  }

  add({ slot, counters, inodes, nlookup, board, accounts }: LedgerBuffers): void {
    this.accounts[slot] = {
      counters: this.countersIn(counters),
      total: countersOf(counters, this.rows.row),
      inodes: new InodeCacheMap(inodes),
      nlookup: nlookupOf(nlookup, this.rows.index),
      board: board && new HintBoard(board, () => this.onSequential(slot)),
      files: accounts && new FileAccounts(accounts[this.rows.row]),
    };
  }

  /** Where this worker counts what goes to these counters: until `flush`, when the row is shared. */
  countersIn(counters: SharedArrayBuffer): Counters {
    return this.scratch ?? countersOf(counters, this.rows.row);
  }

  remove(slot: number): void {
    this.accounts[slot] = undefined;
  }

  /** @param slot of the image that is the session's root; VIRTUAL when that is a virtual directory */
  setRoot(slot: number): void {
    this.rootSlot = slot;
  }

  countersAt(node: number): Counters {
    return this.of(node).counters;
  }

  /** nlookup++: a reply is about to give the kernel a node. The root does not count: the kernel never forgets it. */
  noteLookup(node: number): void {
    if (node === ROOT_NODE) return;
    const account = this.of(node);
    account.inodes.noteLookup(localOf(node));
    account.nlookup[NLOOKUP.GIVEN]++;
  }

  /** A directory of the node's image was listed with attributes. */
  noteListing(node: number): void {
    this.of(node).board?.noteListing();
  }

  /** A READ from byte 0 on was answered. @param position of its data, see `FileSystem.readFrom` */
  noteRead(node: number, position: number): void {
    const account = this.of(node);
    this.inflight[INFLIGHT.FILE] = node;
    account.inodes.notePages(localOf(node));
    account.board?.noteRead(localOf(node), position);
  }

  /** An answer, which lies in the frame, is counted for the file that was asked about, where files are. */
  countFile(node: number, f: Frame, opcode: number, result: number): void {
    const { files } = this.of(node);
    if (files === undefined) return;
    const found = opcode === OP.LOOKUP && result > 0 ? u64(f.outView, PAYLOAD + ENTRY.NODEID) : 0;
    this.rows.mutex?.lock();
    files.count(opcode, localOf(node), result, slotOf(found) === slotOf(node) ? localOf(found) : 0);
    this.rows.mutex?.unlock();
  }

  /** A request about a node was answered and counted: now it counts for all, where the row is shared. */
  flush(node: number): void {
    if (this.scratch === undefined) return;
    this.rows.mutex?.lock();
    pour(this.scratch, this.of(node).total);
    this.rows.mutex?.unlock();
  }

  /** FORGET: one node. */
  forget(f: Frame): void {
    const node = u64(f.inView, FORGET.NODEID);
    this.of(node).nlookup[NLOOKUP.FORGOTTEN] += u64(f.inView, FORGET.TIMES);
  }

  /** BATCH_FORGET: many. */
  forgetBatch(f: Frame): void {
    const fitting = Math.floor((f.length - FORGET.LIST) / FORGET.STRIDE);
    const count = Math.min(f.inView.getUint32(FORGET.COUNT, true), fitting);
    for (let i = 0; i < count; i++) {
      const at = FORGET.LIST + i * FORGET.STRIDE;
      this.of(u64(f.inView, at)).nlookup[NLOOKUP.FORGOTTEN] += u64(f.inView, at + 8);
    }
  }

  private of(node: number): Account {
    const slot = slotOf(node);
    return this.accounts[slot === 0 && node === ROOT_NODE ? this.rootSlot : slot] ?? this.virtual;
  }
}
