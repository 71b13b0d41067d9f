import { messageOf } from "../bytes/errors.ts";
import { Semaphore } from "../bytes/semaphore.ts";
import { type FieldOf, parseFilters } from "../containerd/filter.ts";
import { refuse } from "../containerd/refusal.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { Logger } from "../log/log.ts";
import { BelowSnapshots } from "./below-snapshots.ts";
import type { KnownLayers } from "./known-layers.ts";
import { layerUsage } from "./layer-usage.ts";
import type { MountAnswer } from "./mount-answers.ts";
import { isExtractKey, type LayerBlob, type SnapshotKind, type SnapshotRecord } from "./record.ts";
import type { SnapshotRecords } from "./records.ts";
import type { SnapshotDirectories, Usage } from "./snapshot-directories.ts";
import type { Stacks } from "./stacks.ts";
import type { VmDisks } from "./vm-disks.ts";
import { now } from "./wall-clock.ts";

type Labels = Readonly<Record<string, string>>;

/** Of one that is to be made. */
export interface NewSnapshot {
  readonly key: string;
  readonly parent: string;
  readonly labels: Labels;
}

/** Of one that is to be committed. */
export interface NewName {
  readonly key: string;
  readonly name: string;
  /** "": as it was prepared. */
  readonly parent: string;
  readonly labels: Labels;
}

/**
 * containerd's snapshots. Whatever changes is one write of metadata; layers are laid into them by the differ, and images are
 * mounted when something is to be read. containerd holds locks of its own over Commit and Remove, none over Cleanup.
 */
export class Snapshots {
  readonly records: SnapshotRecords;
  readonly directories: SnapshotDirectories;
  readonly stacks: Stacks;
  private readonly store: LayerStore;
  private readonly log: Logger;
  /** undefined: every layer is fetched and laid into a snapshot. */
  readonly known: KnownLayers | undefined;
  /** undefined: images are mounted here. */
  readonly vmDisks: VmDisks | undefined;
  private readonly changes = new Semaphore();
  private readonly below: BelowSnapshots;
  /** Ids of snapshots that are no records yet. */
  private readonly making = new Set<number>();
  /** By id, those whose layers are being unpacked. */
  private readonly settling = new Map<number, Promise<void>>();

  constructor(
    records: SnapshotRecords,
    directories: SnapshotDirectories,
    stacks: Stacks,
    store: LayerStore,
    known: KnownLayers | undefined,
    vmDisks: VmDisks | undefined,
    log: Logger,
  ) {
    this.records = records;
    this.directories = directories;
    this.stacks = stacks;
    this.store = store;
    this.known = known;
    this.vmDisks = vmDisks;
    this.below = new BelowSnapshots(records, stacks, vmDisks, this.changes);
    this.log = log;
  }

  /**
   * @throws Refusal, also "already exists" of a layer that need not be fetched; OperationalError: in any other case nothing is left
   */
  async make(kind: "view" | "active", { key, parent, labels }: NewSnapshot): Promise<MountAnswer[]> {
    const made = now();
    const isExtract = kind === "active" && isExtractKey(key);
    const times = { createdAt: made, updatedAt: made };
    const record: SnapshotRecord = {
      ...{ id: this.records.nextId(), key, kind, parent, labels, isExtract, size: 0, inodes: 0 },
      ...times,
    };
    this.mustBeNew(key);
    this.mustBeCommitted(parent);
    if (isExtract) await this.mustBeUnknown(record);
    this.making.add(record.id);
    try {
      await this.directories.make(record.id);
      if (isExtract) this.stacks.images.expected.unexpect(this.stacks.chainOf(parent).image);
      const { lowers, volumes } = await this.below.of(record);
      const answers = await this.stacks.mountsOf(record, lowers, volumes);
      await this.stacks.takeRoot(record, lowers);
      await this.changes.run(async () => {
        this.mustBeNew(key);
        this.mustBeCommitted(parent);
        await this.records.put(record);
      });
      return answers;
    } catch (error) {
      await this.directories.remove(record.id);
      throw error;
    } finally {
      this.making.delete(record.id);
    }
  }

  /** Removes directories that no snapshot has. */
  async removeStrays(): Promise<void> {
    for (const id of await this.strays())
      await this.directories.remove(id).catch((error: unknown) => this.log.warn(messageOf(error)));
  }

  /** Ids of directories that no snapshot has. */
  strays(): Promise<number[]> {
    const known = new Set(this.making);
    for (const { id } of this.records.all()) known.add(id);
    const last = this.records.nextId(); // what is made from now on has a higher one
    return this.directories.strays((each) => each > last || known.has(each));
  }

  /** Also mounts again what a reboot has unmounted, and makes a directory again that somebody has removed. */
  async mounts(key: string): Promise<MountAnswer[]> {
    const record = this.mustHave(key);
    if (record.kind === "committed") throw refuse("failed precondition", `snapshot ${key} is committed`);
    await this.directories.make(record.id);
    await this.settle(key);
    const { lowers, volumes } = await this.below.of(record);
    return this.stacks.mountsOf(record, lowers, volumes);
  }

  /** Unpacks a layer that was laid into a snapshot which is not committed: something is to be read there, or written. */
  async settle(key: string): Promise<void> {
    const { id, layer, parent } = this.mustHave(key);
    if (layer === undefined) return;
    let settling = this.settling.get(id);
    if (settling === undefined) {
      settling = this.unpackInto(id, layer, key, parent).finally(() => this.settling.delete(id));
      this.settling.set(id, settling);
    }
    await settling;
  }

  /** @throws Refusal */
  async commit({ key, name, parent, labels }: NewName): Promise<void> {
    const found = this.mustBeActive(key);
    const { size, inodes } =
      found.layer === undefined
        ? await this.directories.usage(found.id)
        : layerUsage(this.store, found.layer);
    await this.changes.run(async () => {
      const before = this.mustBeActive(key);
      this.mustBeNew(name);
      const below = parent || before.parent;
      if (before.parent !== "" && below !== before.parent)
        throw refuse("invalid argument", `snapshot ${key} has the parent ${before.parent}, not ${below}`);
      this.mustBeCommitted(below);
      const committed = now();
      const done = { kind: "committed", key: name, parent: below, labels, size, inodes } as const;
      await this.records.put(
        { ...before, ...done, createdAt: committed, updatedAt: committed, isExtract: false },
        before,
      );
    });
    this.expectMerge(name);
  }

  /** Metadata only: what it had goes when `cleanUp` comes. */
  async remove(key: string): Promise<void> {
    await this.changes.run(async () => {
      const record = this.mustHave(key);
      if (this.records.hasChildren(key))
        throw refuse("failed precondition", `cannot remove snapshot with child: ${key}`);
      await this.records.remove(record);
    });
  }

  stat = (key: string): SnapshotRecord => this.mustHave(key);

  /** @param labels in the place of all, or of those in `only`; "" takes one away then */
  async update(key: string, labels: Labels, only: readonly string[] | undefined): Promise<SnapshotRecord> {
    return this.changes.run(async () => {
      const before = this.mustHave(key);
      const merged: Record<string, string> = only === undefined ? { ...labels } : { ...before.labels };
      for (const label of only ?? [])
        if (labels[label]) merged[label] = labels[label];
        else delete merged[label];
      const after = { ...before, labels: merged, updatedAt: now() };
      await this.records.put(after, before);
      return after;
    });
  }

  /** Notes that a layer of the store is what an active snapshot holds. */
  async setLayer(key: string, layer: string, blob: LayerBlob): Promise<void> {
    await this.changes.run(async () => {
      const before = this.mustBeActive(key);
      await this.records.put({ ...before, layer, blob }, before);
    });
  }

  list(filters: readonly string[]): SnapshotRecord[] {
    const isMeant = parseFilters(filters);
    return [...this.records.all()].filter((record) => isMeant(fieldsOf(record)));
  }

  async usage(key: string): Promise<Usage> {
    const record = this.mustHave(key);
    return record.kind === "active" ? this.directories.usage(record.id) : record;
  }

  private async unpackInto(id: number, layer: string, key: string, parent: string): Promise<void> {
    const below = await this.stacks.lowersOf(parent);
    await this.directories.remove(id); // of what a process has begun that is gone
    await this.directories.make(id);
    await this.store.unpack(layer, this.directories.places(id).upper, below, AbortSignal.any([]));
    await this.changes.run(async () => {
      const before = this.mustBeActive(key);
      const { layer: _, blob: __, ...after } = before;
      await this.records.put(after, before);
    });
  }

  /** @throws Refusal "already exists" when the layer is in the store already, and there is a snapshot of it now */
  private async mustBeUnknown(record: SnapshotRecord): Promise<void> {
    const skipped = await this.known?.skip(record, this.changes);
    if (skipped === undefined) return;
    if (skipped.made !== undefined) this.expectMerge(skipped.made);
    throw refuse("already exists", `target snapshot ${skipped.target}`);
  }

  /** Who asks for an image next may find it merged. */
  private expectMerge(name: string): void {
    const { expected } = this.stacks.images;
    expected.unexpect(this.stacks.chainOf(this.mustHave(name).parent).image);
    const { image, above } = this.stacks.chainOf(name);
    if (above.length === 0 && image.length > 0) expected.expect(image);
  }

  private mustHave(key: string): SnapshotRecord {
    const record = this.records.get(key);
    if (record === undefined) throw refuse("not found", `snapshot ${key} does not exist`);
    return record;
  }

  private mustBeActive(key: string): SnapshotRecord {
    const record = this.mustHave(key);
    if (record.kind !== "active") throw refuse("failed precondition", `snapshot ${key} is not active`);
    return record;
  }

  private mustBeCommitted(parent: string): void {
    if (parent === "") return;
    const record = this.records.get(parent);
    if (record === undefined) throw refuse("not found", `parent snapshot ${parent} does not exist`);
    if (record.kind !== "committed")
      throw refuse("invalid argument", `parent snapshot ${parent} is not committed`);
  }

  private mustBeNew(key: string): void {
    if (this.records.get(key) !== undefined) throw refuse("already exists", `snapshot ${key}`);
  }
}

const fieldsOf =
  ({ key, kind, parent, labels }: SnapshotRecord): FieldOf =>
  ([field = "", ...rest]) => {
    if (field === "labels") return rest.length === 0 ? undefined : labels[rest.join(".")];
    if (rest.length > 0) return undefined;
    return new Map<string, string | SnapshotKind>([
      ["name", key],
      ["kind", kind],
      ["parent", parent],
    ]).get(field);
  };
