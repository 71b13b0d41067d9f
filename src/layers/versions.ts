import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { NONE, ROOT, type Tree } from "../mkfs/tree.ts";
import type { LayerWitness, Marker } from "../mkfs/witness.ts";
import { FATES, type Fate } from "./fate.ts";

const FIRST = 1024;
const SEEN = FATES.indexOf("seen");
const [OVERWRITTEN, ATTRIBUTES, REPLACED] = (["overwritten", "attributes", "replaced"] as const).map((fate) =>
  FATES.indexOf(fate),
) as [number, number, number];
/** Something of its own layer has taken its place: unpacking that layer leaves nothing of it. */
const DROPPED = FATES.length;

/** A marker of a layer, and how many versions of layers below it took away. */
export interface LaidMarker extends Marker {
  readonly layer: number;
  hides: number;
}

/**
 * Every version of every name, as columns: a layer's is the inode that the name has when the layer has been laid. The tree's
 * rows are never given away twice, so that node and inode are all that a version has to keep of its attributes.
 */
export class Versions implements LayerWitness {
  /** How many layers were laid; they are counted from 1, the lowest. */
  layers = 0;
  count = 0;
  readonly markers: LaidMarker[] = [];
  node = new Int32Array(FIRST);
  inode = new Int32Array(FIRST);
  layer = new Uint16Array(FIRST);
  /** Which layer ended it; 0: none. */
  endedIn = new Uint16Array(FIRST);
  private fates = new Uint8Array(FIRST);
  /** Number of the marker that took it away, or the node of what took its place. */
  private causes = new Int32Array(FIRST);
  /** The version of the same name in a layer below. */
  private below = new Int32Array(FIRST);
  /** By node: the version of the uppermost layer. */
  private tops = new Int32Array(0);
  private tree: Tree | undefined;
  private marker = NONE;

  begin(tree: Tree): void {
    this.tree = tree;
    // Each layer has a root, also where its tar names none: that of the lowest one is what there was first.
    if (++this.layers === 1) this.add(ROOT, tree.inode[ROOT] as number);
  }

  /** What a tree has, as one layer's. */
  take(tree: Tree): void {
    this.begin(tree);
    for (let node = ROOT + 1; node < tree.nodes; node++)
      if (tree.isLive(node)) this.put(node, tree.inode[node] as number);
  }

  hiding(marker: Marker): void {
    this.marker = this.markers.push({ ...marker, layer: this.layers, hides: 0 }) - 1;
  }

  hidden(): void {
    this.marker = NONE;
  }

  put(node: number, inode: number): void {
    const top = this.top(node);
    if (top !== NONE && (this.fates[top] as number) === SEEN) {
      if ((this.layer[top] as number) === this.layers) {
        this.inode[top] = inode;
        return;
      }
      this.end(top, ATTRIBUTES, node);
    }
    this.add(node, inode);
  }

  gone(node: number, by: number): void {
    const top = this.top(node);
    if (top === NONE || (this.fates[top] as number) !== SEEN) return;
    if ((this.layer[top] as number) === this.layers) {
      this.fates[top] = DROPPED;
      this.tops[node] = this.below[top] as number;
    } else this.end(top, node === by && !this.isDirectory(top) ? OVERWRITTEN : REPLACED, by);
  }

  /** Versions of a name, the upper layer's first. */
  *of(node: number): Generator<number> {
    for (let at = this.top(node); at !== NONE; at = this.below[at] as number) yield at;
  }

  /** Whether a row is a version: what its own layer took back is none. */
  isVersion(version: number): boolean {
    return (this.fates[version] as number) !== DROPPED;
  }

  fate(version: number): Fate {
    return FATES[this.fates[version] as number] as Fate;
  }

  /** What ended it: a marker, or the node of what has taken its place, or that of a directory above it. */
  causeOf(version: number): LaidMarker | number | undefined {
    const fate = this.fates[version] as number;
    if (fate === SEEN) return undefined;
    const cause = this.causes[version] as number;
    return fate === OVERWRITTEN || fate === ATTRIBUTES || fate === REPLACED
      ? cause
      : this.markers[cause as number];
  }

  private top(node: number): number {
    return node < this.tops.length ? (this.tops[node] as number) : NONE;
  }

  private isDirectory(version: number): boolean {
    const mode = this.tree?.mode[this.inode[version] as number] ?? 0;
    return (mode & S_IFMT) === S_IFDIR;
  }

  private end(version: number, fate: number, by: number): void {
    const marker = this.markers[this.marker];
    this.endedIn[version] = this.layers;
    this.fates[version] = marker === undefined ? fate : FATES.indexOf(marker.kind);
    this.causes[version] = marker === undefined ? by : this.marker;
    if (marker !== undefined) marker.hides++;
  }

  private add(node: number, inode: number): void {
    const version = this.count++;
    if (version === this.node.length) this.grow();
    if (node >= this.tops.length) this.growTops(node);
    this.node[version] = node;
    this.inode[version] = inode;
    this.layer[version] = this.layers;
    this.below[version] = this.tops[node] as number;
    this.tops[node] = version;
  }

  private grow(): void {
    const length = Math.ceil(this.node.length * 1.5);
    this.node = grown(this.node, new Int32Array(length));
    this.inode = grown(this.inode, new Int32Array(length));
    this.layer = grown(this.layer, new Uint16Array(length));
    this.endedIn = grown(this.endedIn, new Uint16Array(length));
    this.fates = grown(this.fates, new Uint8Array(length));
    this.causes = grown(this.causes, new Int32Array(length));
    this.below = grown(this.below, new Int32Array(length));
  }

  private growTops(node: number): void {
    const length = Math.max(FIRST, Math.ceil((node + 1) * 1.5));
    this.tops = grown(this.tops, new Int32Array(length).fill(NONE));
  }
}

function grown<T extends Int32Array | Uint16Array | Uint8Array>(old: T, longer: T): T {
  longer.set(old);
  return longer;
}
