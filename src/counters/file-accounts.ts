import { OP, OP_COUNT } from "../vfs/opcodes.ts";
import { isError, sizeClass } from "./counters.ts";

/*
 * What was asked about each file of one image, as one thread answered it: a row a file in shared memory, one writer,
 * like counters. A row is found by the file's node, so that nothing is allocated, hashed or locked on the way.
 * The memory is reserved for as many rows as there may be, and taken by those that are written.
 */

/** Opcodes that are asked of a file and answered; a row has a column each. */
export const FILE_OPCODES: readonly number[] = [
  ...[OP.LOOKUP, OP.GETATTR, OP.READLINK, OP.READ],
  ...[OP.GETXATTR, OP.LISTXATTR, OP.READDIR, OP.READDIRPLUS],
];

/** Nodes of an image that get a row; what is asked about others is counted as dropped. */
const MAX_ROWS = 65_536;
/** Sizes of answers to READ: nydusd's classes. */
const SIZES = 8;

/** Columns of a row. */
const NODE = 0;
const DATA_READ = 1;
const FIRST_READ = 2; // ms since 1970
const SIZES_AT = 3;
const HITS_AT = SIZES_AT + SIZES;
const ERRORS_AT = HITS_AT + FILE_OPCODES.length;
const STRIDE = ERRORS_AT + FILE_OPCODES.length;

/** Before the rows, then an i32 a node: its row + 1, or 0. */
const HEAD = 2;
const USED = 0;
const DROPPED = 1;

/** What is in the buffer, which knows no more than its length. */
interface Shape {
  readonly nodes: number;
  readonly rows: number;
}

/** The accounts of one thread with one image. */
export interface AccountsBuffer extends Shape {
  readonly shared: SharedArrayBuffer;
}

const { timeOrigin } = performance;
const COLUMNS = new Int8Array(OP_COUNT).fill(-1);
FILE_OPCODES.forEach((opcode, column) => {
  COLUMNS[opcode] = column;
});

const indexAt = (rows: number): number => 8 * (HEAD + rows * STRIDE);

/** @param nodes of the image: they are below this */
export function newAccounts(nodes: number, maxRows = MAX_ROWS): AccountsBuffer {
  const rows = Math.min(nodes, maxRows);
  return { nodes, rows, shared: new SharedArrayBuffer(indexAt(rows) + 4 * nodes) };
}

/** The side that writes. */
export class FileAccounts {
  private readonly cells: Float64Array;
  private readonly index: Int32Array;
  private readonly rows: number;

  constructor({ shared, rows, nodes }: AccountsBuffer) {
    this.cells = new Float64Array(shared, 0, HEAD + rows * STRIDE);
    this.index = new Int32Array(shared, indexAt(rows), nodes);
    this.rows = rows;
  }

  /**
   * Counts an answer.
   *
   * @param node that was asked about
   * @param result as of `countAnswer`
   * @param found the node that a LOOKUP led to, which is known from then on; 0: none
   */
  count(opcode: number, node: number, result: number, found: number): void {
    const column = COLUMNS[opcode];
    if (column === undefined || column < 0) return;
    const at = this.rowOf(node);
    if (opcode === OP.LOOKUP && found > 0) this.rowOf(found);
    if (at < 0) return;
    const { cells } = this;
    if (opcode === OP.READ && cells[at + FIRST_READ] === 0) {
      // Not a parameter: a number with a fraction would be allocated for each request.
      cells[at + FIRST_READ] = timeOrigin + performance.now();
    }
    if (isError(result)) {
      cells[at + ERRORS_AT + column]++;
      return;
    }
    cells[at + HITS_AT + column]++;
    if (opcode !== OP.READ) return;
    cells[at + DATA_READ] += result;
    cells[at + SIZES_AT + sizeClass(result)]++;
  }

  /** @returns where the node's row begins, -1 when there is none and no room for another */
  private rowOf(node: number): number {
    const { cells, index } = this;
    const known = index[node];
    if (known > 0) return HEAD + (known - 1) * STRIDE;
    const row = cells[USED];
    if (known === undefined || row === this.rows) {
      cells[DROPPED]++;
      return -1;
    }
    const at = HEAD + row * STRIDE;
    cells[at + NODE] = node;
    cells[USED] = row + 1;
    index[node] = row + 1;
    return at;
  }
}

/** A file, over all threads. Lists by operation are in the order of FILE_OPCODES. */
export interface FileCounts {
  readonly node: number;
  readonly bytes: number;
  /** ms since 1970, 0 when it was not read. */
  readonly firstRead: number;
  readonly sizes: readonly number[];
  readonly hits: readonly number[];
  readonly errors: readonly number[];
}

/** READs of a file, those that failed too. */
export const readsOf = ({ hits, errors }: FileCounts): number =>
  hits[COLUMNS[OP.READ]] + errors[COLUMNS[OP.READ]];
/** READs of a file that were answered with bytes. */
export const goodReadsOf = ({ hits }: FileCounts): number => hits[COLUMNS[OP.READ]];

/** Every file that has a row in any of the accounts, by node. */
export function fileCounts(all: readonly AccountsBuffer[]): Map<number, FileCounts> {
  const files = new Map<number, FileCounts>();
  for (const { shared, rows } of all) {
    const cells = new Float64Array(shared, 0, HEAD + rows * STRIDE);
    for (let row = 0, used = cells[USED]; row < used; row++) {
      const at = HEAD + row * STRIDE;
      const file = fileAt(cells, at);
      const other = files.get(file.node);
      files.set(file.node, other === undefined ? file : sum(file, other));
    }
  }
  return files;
}

/** Requests that were counted for no file, because there was no row left. */
export const droppedRequests = (all: readonly AccountsBuffer[]): number =>
  all.reduce((total, { shared }) => total + new Float64Array(shared, 0, HEAD)[DROPPED], 0);

function fileAt(cells: Float64Array, at: number): FileCounts {
  const list = (from: number, length: number) => [...cells.subarray(at + from, at + from + length)];
  return {
    node: cells[at + NODE],
    bytes: cells[at + DATA_READ],
    firstRead: cells[at + FIRST_READ],
    sizes: list(SIZES_AT, SIZES),
    hits: list(HITS_AT, FILE_OPCODES.length),
    errors: list(ERRORS_AT, FILE_OPCODES.length),
  };
}

function sum(a: FileCounts, b: FileCounts): FileCounts {
  const both = (key: "sizes" | "hits" | "errors") => a[key].map((value, i) => value + b[key][i]);
  const times = [a.firstRead, b.firstRead].filter((time) => time > 0);
  return {
    node: a.node,
    bytes: a.bytes + b.bytes,
    firstRead: times.length === 0 ? 0 : Math.min(...times),
    sizes: both("sizes"),
    hits: both("hits"),
    errors: both("errors"),
  };
}
