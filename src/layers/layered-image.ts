import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { SLASH } from "../bytes/name.ts";
import { LayerStack } from "../mkfs/merge.ts";
import { type BlobPiece, FLAG, NONE, ROOT, type Tree } from "../mkfs/tree.ts";
import { markerFor } from "../mkfs/whiteout.ts";
import type { PreparedLayer } from "../source/prepare.ts";
import type { Fate } from "./fate.ts";
import { piecesOf } from "./pieces.ts";
import { type LaidMarker, Versions } from "./versions.ts";

/** What a layer says of a name, and what became of that. */
export interface Version {
  /** Counted from 1, the lowest; 0: nobody knows. */
  readonly layer: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly rdev: number;
  /** A directory that the layer has something in, but that it does not name. */
  readonly isImplicit: boolean;
  readonly target: Uint8Array | undefined;
  /** Where a file's bytes lie, in order; what is between them is zeros. */
  readonly pieces: readonly VersionPiece[];
  readonly fate: Fate;
  /** Why it is not seen any more: the layer, and the path of the marker or of what took its place. */
  readonly by: { readonly layer: number; readonly path: Uint8Array } | undefined;
}

/** A run of a file's bytes in a layer's tar, or its side blob. */
export interface VersionPiece extends Omit<BlobPiece, "blob"> {
  readonly blobId: string;
}

/** A marker that a layer has for a name, or in a directory. */
export interface MarkerVersion {
  readonly layer: number;
  readonly kind: LaidMarker["kind"];
  readonly path: Uint8Array;
  readonly mtime: number;
  readonly mtimeNsec: number;
  /** Versions of layers below that it took away; 0: it says nothing. */
  readonly hides: number;
}

/** An image of which nobody knows the layers: what it shows, and ids of its blobs by the tree's numbers of them. */
export interface BareTree {
  readonly tree: Tree;
  readonly blobIds: readonly string[];
}

/** Layers over one another, of which nothing is forgotten; or what is seen of an image whose layers nobody knows. */
export class LayeredImage {
  /** The lowest first; none where nobody knows them. */
  readonly layers: readonly PreparedLayer[];
  readonly versions = new Versions();
  readonly tree: Tree;
  readonly blobIds: readonly string[];

  /**
   * Lays the layers, by the code that makes an image of them.
   *
   * @param of the layers, the lowest first
   * @throws MergeError, FormatError, OperationalError as making that image does
   */
  constructor(of: readonly PreparedLayer[] | BareTree) {
    if ("tree" in of) {
      this.layers = [];
      this.tree = of.tree;
      this.blobIds = of.blobIds;
      this.versions.take(of.tree);
      return;
    }
    const layers = of;
    this.layers = layers;
    const nowhere = { bootstrap: "", blobDir: undefined, prefetch: [], keepsBlobs: true } as const;
    // What of the attributes is left out was told when the layers were read.
    const stack = new LayerStack({ ...nowhere, whiteouts: "oci", warn: () => {} }, this.versions);
    for (const { bootstrap } of layers) stack.add(bootstrap);
    this.tree = stack.tree;
    this.blobIds = stack.blobIds;
  }

  /** The node of a path from the root, also of one that is not in the image any more; undefined: no layer has it. */
  find(names: readonly Uint8Array[]): number | undefined {
    let node = ROOT;
    for (const name of names) {
      node = this.tree.find(node, name, 0, name.length);
      if (node === NONE) return undefined;
    }
    return node;
  }

  /** Every version of a name, the upper layer's first. */
  of(node: number): Version[] {
    return [...this.versions.of(node)].map((version) => this.version(version));
  }

  /** What layers say of it by markers, the upper layer's first: of the name itself, and of what is in it. */
  markersOf(node: number): MarkerVersion[] {
    const { tree, versions } = this;
    const name = Buffer.from(markerFor(tree.name(node)));
    const found = versions.markers.filter(({ kind, directory, name: said }) =>
      kind === "opaque"
        ? directory === node
        : directory === (tree.parent[node] as number) && name.equals(said),
    );
    return found.reverse().map((marker) => ({ ...marker, path: this.markerPath(marker) }));
  }

  /** `/` and names. */
  path(node: number): Uint8Array {
    return Buffer.concat([Uint8Array.of(SLASH), this.tree.path(node)]);
  }

  /** A row of `versions`, in full. */
  version(version: number): Version {
    const { tree, versions } = this;
    const i = versions.inode[version] as number;
    const type = (tree.mode[i] as number) & S_IFMT;
    const isSized = type === S_IFREG || type === S_IFLNK;
    const target = tree.pool.bytes.subarray(
      tree.where[i] as number,
      (tree.where[i] as number) + (tree.size[i] as number),
    );
    return {
      ...{
        layer: this.layers.length === 0 ? 0 : (versions.layer[version] as number),
        mode: tree.mode[i] as number,
        uid: tree.uid[i] as number,
        gid: tree.gid[i] as number,
      },
      ...{
        size: tree.size[i] as number,
        mtime: tree.mtime[i] as number,
        mtimeNsec: tree.mtimeNsec[i] as number,
      },
      rdev: isSized || type === S_IFDIR ? 0 : (tree.where[i] as number),
      isImplicit: ((tree.flags[i] as number) & FLAG.IMPLICIT) !== 0,
      target: type === S_IFLNK ? target.slice() : undefined,
      pieces: type === S_IFREG ? this.pieces(i) : [],
      fate: versions.fate(version),
      by: this.byOf(version),
    };
  }

  private pieces(inode: number): VersionPiece[] {
    const { tree, blobIds } = this;
    return piecesOf(tree, inode).map(({ blob, ...piece }) => ({ ...piece, blobId: blobIds[blob] ?? "" }));
  }

  private byOf(version: number): Version["by"] {
    const { versions } = this;
    const cause = versions.causeOf(version);
    if (cause === undefined) return undefined;
    const path = typeof cause === "number" ? this.path(cause) : this.markerPath(cause);
    return { layer: versions.endedIn[version] as number, path };
  }

  /** As that of `path`, with the marker's own name. */
  markerPath({ directory, name }: LaidMarker): Uint8Array {
    const above = this.path(directory);
    if (name.length === 0) return above;
    const slash = Uint8Array.of(SLASH).subarray(0, directory === ROOT ? 0 : 1);
    return Buffer.concat([above, slash, name]);
  }
}
