import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { OperationalError } from "../bytes/errors.ts";
import type { SnapshotRecord } from "./record.ts";

/** Largest that the file may become; it takes what it needs. */
const MAP_SIZE = 1 << 30;
/** Version of what is kept: another one is not understood. */
const VERSION = 1;
/** Where the version is; snapshots are kept by their ids, which begin at 1. */
const VERSION_KEY = 0;

/**
 * All snapshots: in memory to be asked, on disk before a change is answered. What is written is there after a power
 * loss, or none of it.
 */
export class SnapshotRecords {
  private readonly db: RootDatabase<SnapshotRecord | number, number>;
  private readonly byKey = new Map<string, SnapshotRecord>();
  private readonly children = new Map<string, number>();
  private last: number;
  private changeCount = 0;

  private constructor(db: RootDatabase<SnapshotRecord | number, number>, lastId: number) {
    this.db = db;
    this.last = lastId;
    for (const { value } of db.getRange({ start: 1 })) if (typeof value === "object") this.add(value);
  }

  /**
   * @param lastId the last id that was given, as far as the directories tell
   * @throws OperationalError when the file is another version's, or broken
   */
  static open(root: string, lastId: number): SnapshotRecords {
    const path = join(root, "metadata.lmdb");
    try {
      // Without overlappingSync a change is answered only when it is on disk.
      const options = {
        encoding: "json",
        keyEncoding: "uint32",
        overlappingSync: false,
        noSubdir: true,
      } as const;
      const db = open<SnapshotRecord | number, number>({ path, mapSize: MAP_SIZE, ...options });
      const version = db.get(VERSION_KEY);
      if (version === undefined) db.putSync(VERSION_KEY, VERSION);
      else if (version !== VERSION) throw new Error(`version ${version}, want ${VERSION}`);
      return new SnapshotRecords(db, lastId);
    } catch (error) {
      throw new OperationalError(`${path}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Another one after each change. */
  get generation(): number {
    return this.changeCount;
  }

  get = (key: string): SnapshotRecord | undefined => this.byKey.get(key);

  all = (): IterableIterator<SnapshotRecord> => this.byKey.values();

  hasChildren = (key: string): boolean => (this.children.get(key) ?? 0) > 0;

  /** An id that no snapshot had before. */
  nextId(): number {
    return ++this.last;
  }

  /** From a snapshot down to the lowest one. */
  chain(key: string): SnapshotRecord[] {
    const chain: SnapshotRecord[] = [];
    for (let at = this.byKey.get(key); at !== undefined; at = this.byKey.get(at.parent)) chain.push(at);
    return chain;
  }

  /** Keeps a new snapshot, or a changed one in the place of what it was; resolves when it is on disk. */
  async put(record: SnapshotRecord, before?: SnapshotRecord): Promise<void> {
    await this.db.put(record.id, record);
    if (before !== undefined) this.drop(before);
    this.add(record);
  }

  /** Resolves when it is gone from the disk. */
  async remove(record: SnapshotRecord): Promise<void> {
    await this.db.remove(record.id);
    this.drop(record);
  }

  close = (): Promise<void> => this.db.close();

  private add(record: SnapshotRecord): void {
    this.changeCount++;
    this.byKey.set(record.key, record);
    this.children.set(record.parent, (this.children.get(record.parent) ?? 0) + 1);
    this.last = Math.max(this.last, record.id);
  }

  private drop({ key, parent }: SnapshotRecord): void {
    this.changeCount++;
    this.byKey.delete(key);
    this.children.set(parent, (this.children.get(parent) ?? 1) - 1);
  }
}
