import { basename } from "node:path";
import { type AccessPattern, type FilesStats, FOPS, type ReadRanges } from "../api/shapes.ts";
import { type Extent, Image } from "../erofs/image.ts";
import { metadataOf, type OpenedImage } from "../fs/open-image.ts";
import { opName } from "../vfs/opcodes.ts";
import {
  type AccountsBuffer,
  droppedRequests,
  FILE_OPCODES,
  type FileCounts,
  fileCounts,
  goodReadsOf,
  readsOf,
} from "../counters/file-accounts.ts";
import type { FileRecords } from "../session/file-records.ts";
import { swapRoot } from "../vfs/node-id.ts";
import { pathsOf } from "../fs/path-table.ts";

/** Where FILE_OPCODES are among nydusd's operations. */
const COLUMNS = FILE_OPCODES.map((opcode) => (FOPS as readonly string[]).indexOf(opName(opcode)));

/** What nydusd tells of the files of one image, from what its threads have counted. */
export class FileReport {
  private readonly image: OpenedImage;
  private readonly base: number;
  private readonly accounts: readonly AccountsBuffer[];
  private readonly enabled: FileRecords;
  private readonly warn: (message: string) => void;
  private isFullTold = false;
  /** Good reads by node at the last request for what was read since. */
  private readonly told = new Map<number, number>();
  /** Found already: a walk of the tree is needed for new ones only. */
  private readonly paths = new Map<number, string>();
  private readonly extent: Extent = { device: 0, address: 0, length: 0 };

  /** @param base inode number 0 of the image */
  constructor(
    image: OpenedImage,
    base: number,
    accounts: readonly AccountsBuffer[],
    enabled: FileRecords,
    warn: (message: string) => void,
  ) {
    this.warn = warn;
    this.image = image;
    this.base = base;
    this.accounts = accounts;
    this.enabled = enabled;
  }

  /** By inode. */
  counts(): FilesStats {
    if (!this.enabled.counts) return {};
    return Object.fromEntries([...this.files()].map((file) => [this.inoOf(file.node), statsOf(file)]));
  }

  /** In the order of their first reads. */
  pattern(): AccessPattern[] {
    if (!this.enabled.pattern) return [];
    const read = [...this.files()].filter((file) => readsOf(file) > 0);
    this.findPaths(read.map(({ node }) => node));
    return read
      .sort((a, b) => a.firstRead - b.firstRead)
      .map((file) => ({
        ino: this.inoOf(file.node),
        nr_read: readsOf(file),
        first_access_time_secs: Math.floor(file.firstRead / 1000),
        first_access_time_nanos: Math.floor((file.firstRead % 1000) * 1e6),
        path: this.paths.get(file.node) ?? "",
        blob: file.bytes > 0 ? this.blobOf(file.node) : "",
      }));
  }

  /** Inodes that were read since this was asked last, `[first, last]` or `[only]`. */
  latest(): ReadRanges {
    if (!this.enabled.latest) return [];
    const read: number[] = [];
    for (const file of this.files()) {
      const good = goodReadsOf(file);
      if (good > (this.told.get(file.node) ?? 0)) read.push(this.inoOf(file.node));
      this.told.set(file.node, good);
    }
    return rangesOf(read.sort((a, b) => a - b));
  }

  private files(): Iterable<FileCounts> {
    if (!this.isFullTold && droppedRequests(this.accounts) > 0) {
      this.isFullTold = true;
      this.warn("the table of files is full: requests for other files are not counted by file");
    }
    return fileCounts(this.accounts).values();
  }

  /** As stat(2) has it. */
  private inoOf = (node: number): number => this.base + this.nidOf(node);

  private nidOf = (node: number): number => swapRoot(node, this.image.handle.rootNid);

  private findPaths(nodes: readonly number[]): void {
    const missing = new Set(nodes.filter((node) => !this.paths.has(node)));
    if (missing.size === 0) return;
    const found = pathsOf(metadataOf(this.image), missing);
    for (const node of missing) this.paths.set(node, found.get(node) ?? "");
  }

  /**
   * Name of the tar in which the first byte lies, "" when it begins with a hole or lies within the image.
   *
   * @param node of a file that was read, which is valid
   */
  private blobOf(node: number): string {
    const image = new Image(this.image.handle);
    image.extent(image.inodeAt(this.nidOf(node)), 0, 1, this.extent);
    const { device } = this.extent;
    return device > 0 ? basename(this.image.files[device].path) : "";
  }
}

function statsOf({ bytes, sizes, hits, errors }: FileCounts): FilesStats[string] {
  const byOperation = (counts: readonly number[]) => {
    const all = new Array<number>(FOPS.length).fill(0);
    counts.forEach((count, column) => {
      all[COLUMNS[column]] += count;
    });
    return all;
  };
  return {
    total_fops: [...hits, ...errors].reduce((a, b) => a + b, 0),
    data_read: bytes,
    block_count_read: sizes,
    fop_hits: byOperation(hits),
    fop_errors: byOperation(errors),
  };
}

function rangesOf(inodes: readonly number[]): ReadRanges {
  const ranges: number[][] = [];
  for (const ino of inodes) {
    const last = ranges.at(-1);
    if (last !== undefined && last[last.length - 1] === ino - 1) last[1] = ino;
    else ranges.push([ino]);
  }
  return ranges;
}
