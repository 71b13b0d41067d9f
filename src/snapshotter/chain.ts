import type { SnapshotRecord } from "./record.ts";

/** What lies below a snapshot, one above the other. */
export interface Chain {
  /** diffIDs of the layers at the bottom that are one image together, the lowest first. */
  readonly image: readonly string[];
  /** Ids of the snapshots above that, each a directory, the lowest first. */
  readonly above: readonly number[];
}

/**
 * Layers are merged from the bottom up as long as there are only layers. Above are directories that containerd itself has filled:
 * by `commit` and build, for user namespaces, and with layers that were not converted; among these are all that lie above
 * another directory.
 *
 * @param snapshots from the top down
 */
export function chainOf(snapshots: readonly SnapshotRecord[]): Chain {
  const image: string[] = [];
  const above: number[] = [];
  for (const { id, layer } of snapshots.toReversed())
    if (layer === undefined) above.push(id);
    else image.push(layer);
  return { image, above };
}
