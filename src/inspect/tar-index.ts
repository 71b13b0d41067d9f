import { elementAt } from "../bytes/element-at.ts";
import { closeSync, fstatSync, openSync } from "node:fs";
import { fnv } from "../bytes/fnv.ts";
import { SLASH } from "../bytes/name.ts";
import type { TarEntry } from "../tar/entry.ts";
import { FileBytes } from "../tar/file-bytes.ts";
import { TarReader } from "../tar/reader.ts";

/** What a header says of a file, as far as every builder keeps it. */
export interface HeaderFacts {
  readonly dataAt: number;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the last part of its path. */
  readonly nameHash: number;
  readonly isSparse: boolean;
}

/** Headers of the files of a tar, by where their data lie; a tar within a tar is looked into when it is asked for. */
export class TarIndex {
  /** Bytes up to the end marker, that included. */
  readonly end: number;
  private readonly path: string;
  private readonly files: readonly HeaderFacts[];
  private readonly inner = new Map<number, TarIndex | undefined>();

  /**
   * @param at where in the file the tar begins
   * @throws FormatError when it is none
   */
  constructor(path: string, at = 0, size?: number) {
    this.path = path;
    const fd = openSync(path, "r");
    try {
      const limit = size ?? fstatSync(fd).size;
      const reader = new TarReader(new FileBytes(fd, path, at), path);
      const files: HeaderFacts[] = [];
      for (let entry = reader.next(limit, true); entry !== undefined; entry = reader.next(limit, true))
        if (entry !== "more" && entry.kind === "file" && entry.size > 0) files.push(factsOf(entry, at));
      this.files = files;
      this.end = at + reader.end;
    } finally {
      closeSync(fd);
    }
  }

  /** The header of the file whose data begin at `address`; undefined when there is none. */
  find(address: number): HeaderFacts | undefined {
    const file = this.before(address);
    if (file === undefined || file.dataAt === address || file.isSparse) return file;
    return address < file.dataAt + file.size ? this.within(file)?.find(address) : undefined;
  }

  /** The last file whose data do not begin behind `address`: they come in the order of the tar. */
  private before(address: number): HeaderFacts | undefined {
    let [low, high] = [0, this.files.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (elementAt(this.files, middle).dataAt <= address) low = middle + 1;
      else high = middle;
    }
    return this.files[low - 1];
  }

  private within({ dataAt, size }: HeaderFacts): TarIndex | undefined {
    if (!this.inner.has(dataAt)) this.inner.set(dataAt, tarIndexAt(this.path, dataAt, size));
    return this.inner.get(dataAt);
  }
}

/** @returns undefined when there is no tar */
export function tarIndexAt(path: string, at?: number, size?: number): TarIndex | undefined {
  try {
    return new TarIndex(path, at, size);
  } catch {
    return undefined;
  }
}

function factsOf({ path, dataAt, size, mode, uid, gid, sparse }: TarEntry, at: number): HeaderFacts {
  const nameHash = fnv(path, path.lastIndexOf(SLASH) + 1, path.length);
  const first = sparse?.[0]?.dataAt ?? dataAt;
  return { dataAt: at + first, size, mode, uid, gid, nameHash, isSparse: sparse !== undefined };
}
