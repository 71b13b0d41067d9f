import { showName, SLASH } from "../bytes/name.ts";
import type { Rows } from "./rows.ts";

const ROOM = 1 << 18;
const NEWLINE = 0x0a;

/**
 * Paths, a line each, or as they are with a NUL behind each. Bytes, for a string of each of a million paths takes longer
 * than finding them.
 */
export class PathWriter {
  private readonly rows: Rows;
  private readonly isRaw: boolean;
  private readonly write: (bytes: Uint8Array) => void;
  private buffer = Buffer.allocUnsafe(ROOM);
  private length = 0;
  /** The directory that the last path was in, and what is in front of names there: rows come directory by directory. */
  private directory = -1;
  private prefix: Uint8Array = new Uint8Array(0);
  private isPlainPrefix = true;

  constructor(rows: Rows, isRaw: boolean, write: (bytes: Uint8Array) => void) {
    this.rows = rows;
    this.isRaw = isRaw;
    this.write = write;
  }

  add(row: number): void {
    const { rows } = this;
    const isMarker = row >= rows.versions;
    const node = rows.node(row);
    const directory = rows.tree.parent[node] as number;
    if (isMarker || directory < 0) {
      this.put(rows.path(row));
      return;
    }
    if (directory !== this.directory) this.enter(directory);
    const name = rows.tree.name(node);
    const { prefix } = this;
    if (!this.isRaw && !(this.isPlainPrefix && isPlain(name))) {
      this.put(Buffer.concat([prefix, name]));
      return;
    }
    this.reserve(prefix.length + name.length + 1);
    this.buffer.set(prefix, this.length);
    this.buffer.set(name, this.length + prefix.length);
    this.length += prefix.length + name.length;
    this.end();
  }

  flush(): void {
    if (this.length > 0) this.write(this.buffer.subarray(0, this.length));
    this.buffer = Buffer.allocUnsafe(ROOM); // what was handed on may still be on its way
    this.length = 0;
  }

  private enter(directory: number): void {
    const path = this.rows.image.path(directory);
    this.directory = directory;
    this.prefix = path.length === 1 ? path : Buffer.concat([path, Uint8Array.of(SLASH)]);
    this.isPlainPrefix = isPlain(path);
  }

  private put(path: Uint8Array): void {
    const bytes = this.isRaw ? path : Buffer.from(showName(path));
    this.reserve(bytes.length + 1);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    this.end();
  }

  private end(): void {
    this.buffer[this.length++] = this.isRaw ? 0 : NEWLINE;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    this.flush();
    if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafe(bytes);
  }
}

/** Whether `showName` shows bytes as they are, at a glance. */
function isPlain(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte < 0x20 || byte > 0x7e || byte === 0x5c) return false;
  }
  return true;
}
