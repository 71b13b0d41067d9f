import type { SnapshotRecord } from "./record.ts";

/** What lies below a snapshot, one above the other. */
export interface Chain {
  /** diffIDs of the layers at the bottom that are one image together, the lowest first. */
  readonly image: readonly string[];
  /** Ids of the snapshots that these are. */
  readonly ids: readonly number[];
  /** What is above that, the lowest first. */
  readonly above: readonly Storey[];
}

/** A snapshot above the image: its own directory, or a layer that has to be unpacked because of what is below it. */
export interface Storey {
  readonly id: number;
  /** diffID */
  readonly layer: string | undefined;
}

/**
 * Layers are merged from the bottom up as long as there are only layers. Above are directories that containerd itself has filled:
 * by `commit` and build, for user namespaces, and with layers that were not converted. Their whiteouts mean what is below them,
 * and so do those of a layer above them.
 *
 * @param snapshots from the top down
 */
export function chainOf(snapshots: readonly SnapshotRecord[]): Chain {
  const image: string[] = [];
  const ids: number[] = [];
  const above: Storey[] = [];
  for (const { id, layer } of snapshots.toReversed())
    if (layer !== undefined && above.length === 0) {
      image.push(layer);
      ids.push(id);
    } else above.push({ id, layer });
  return { image, ids, above };
}
