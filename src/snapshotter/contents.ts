import type { Conversion, Disk, Image, Layer, Snapshot } from "../containerd/gen/administration_pb.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import { mountAt } from "../mounts/table.ts";
import type { ExportedDisks } from "./exported-disks.ts";
import type { SnapshotRecord } from "./record.ts";
import type { Snapshots } from "./snapshots.ts";

/** A message without what is protobuf's: its .proto file says what it means. */
export type Plain<Message> = Omit<Message, "$typeName" | "$unknown">;

/** What a snapshotter has, for who administers it. */
export interface Contents {
  readonly layers: Plain<Layer>[];
  readonly images: Plain<Image>[];
  readonly snapshots: Plain<Snapshot>[];
  readonly conversions: Plain<Conversion>[];
  readonly disks: Plain<Disk>[];
}

/** @param measure walks the directories of snapshots that are written to */
export async function contentsOf(
  snapshots: Snapshots,
  store: LayerStore,
  disks: ExportedDisks,
  measure: boolean,
): Promise<Contents> {
  const records = [...snapshots.records.all()];
  const listed: Plain<Snapshot>[] = [];
  for (const { id, key, kind, parent, layer = "", size, inodes } of records) {
    const isMeasured = measure && kind === "active" && layer === "";
    const usage = isMeasured ? await snapshots.directories.usage(id) : { size, inodes };
    const own = layer === "" ? { bytes: usage.size, inodes: usage.inodes } : { bytes: 0, inodes: 0 };
    listed.push({ ...{ id, key, kind, parent, layer }, ...own });
  }
  return {
    layers: layersIn(store, records),
    images: await imagesIn(snapshots, store, records),
    snapshots: listed,
    conversions: store.converting(),
    disks: await disksIn(snapshots, disks, records),
  };
}

function layersIn(store: LayerStore, records: readonly SnapshotRecord[]): Plain<Layer>[] {
  const counts = new Map<string, number>();
  for (const { layer = "" } of records) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  return [...store.all()].map(({ diffId, tarBytes, bootstrapBytes, side }) => ({
    ...{ diffId, tarBytes, bootstrapBytes, sideBytes: side?.bytes ?? 0 },
    snapshots: counts.get(diffId) ?? 0,
  }));
}

async function imagesIn(
  { stacks }: Snapshots,
  store: LayerStore,
  records: readonly SnapshotRecord[],
): Promise<Plain<Image>[]> {
  const users = new Map<string, number>();
  for (const { parent, layer } of records) {
    const { image } = stacks.chainOf(parent);
    if (layer !== undefined || image.length === 0) continue;
    const key = LayerStore.keyOf(image);
    users.set(key, (users.get(key) ?? 0) + 1);
  }
  const keys = new Set([...store.allMerged()].map(({ key }) => key));
  for (const key of await stacks.images.mountpoints()) keys.add(key);
  return [...keys].map((key) => {
    const mountpoint = stacks.images.mountpoint(key);
    const mount = mountAt(mountpoint);
    return {
      ...{ key, bootstrapBytes: store.mergedOf(key)?.bootstrapBytes ?? 0 },
      ...{ mountpoint: mount === undefined ? "" : mountpoint, type: mount?.type ?? "" },
      users: users.get(key) ?? 0,
    };
  });
}

async function disksIn(
  { stacks, vmDisks }: Snapshots,
  disks: ExportedDisks,
  records: readonly SnapshotRecord[],
): Promise<Plain<Disk>[]> {
  const users = new Map<string, number>();
  for (const { parent, layer } of records) {
    const { image, above } = stacks.chainOf(parent);
    if (layer !== undefined || above.length > 0) continue;
    for (const name of vmDisks?.namesOf(image) ?? []) users.set(name, (users.get(name) ?? 0) + 1);
  }
  return (await disks.all()).map((disk) => ({ ...disk, users: users.get(disk.name) ?? 0 }));
}
