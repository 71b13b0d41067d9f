/** What a snapshot is: read-only, written to, or done. */
export type SnapshotKind = "view" | "active" | "committed";

/** A layer as containerd has it. */
export interface LayerBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A snapshot, as it is kept. */
export interface SnapshotRecord {
  /** Names its directory; never given twice. */
  readonly id: number;
  /** containerd's name for it, which begins with the namespace. */
  readonly key: string;
  readonly kind: SnapshotKind;
  /** Key of the snapshot below; "" for none. */
  readonly parent: string;
  readonly labels: Readonly<Record<string, string>>;
  /** ms since 1970 */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** diffID of the layer that lies in the store instead of in the snapshot's directory. */
  readonly layer?: string;
  /** What that was made of. */
  readonly blob?: LayerBlob;
  /** A layer is to be laid into it: nobody reads what is below until then. */
  readonly isExtract: boolean;
  /** Of a committed one: bytes and inodes, without what is below. */
  readonly size: number;
  readonly inodes: number;
}

/** Namespace of a key: what is before its first slash. containerd 1.7 says it nowhere else. */
export const namespaceOf = (key: string): string => key.slice(0, Math.max(key.indexOf("/"), 0)) || "default";

/**
 * Whether containerd is about to lay a layer into it: its unpackers call it `<namespace>/<n>/extract-<n>-<random> <chain id>`. No
 * container's name has a blank in it.
 *
 * @see https://github.com/containerd/containerd/blob/main/core/snapshots/snapshotter.go (UnpackKeyFormat)
 */
export const isExtractKey = (key: string): boolean => /\/extract-\S+ [\w.+-]+:[0-9a-f]+$/.test(key);
