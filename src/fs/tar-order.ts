import type { BlobFiles } from "../blob/blob-files.ts";
import { type Extent, type Image, nodeCount } from "../erofs/image.ts";
import { inodeSize } from "../erofs/inode.ts";
import { type DataOrder, type RankTable, SMALL_FILE } from "../vfs/data-order.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { swapRoot } from "../vfs/node-id.ts";
import { forEachFile } from "./walk.ts";
import type { ImageFileSystem } from "./image-file-system.ts";

/** Two files farther apart are read separately: what lies between would be read for nothing. */
const MAX_GAP = 64 * 1024;

/** Files whose data is one run in one file, by device and address. Columns instead of objects: a million rows. */
export class TarOrder implements DataOrder {
  readonly count: number;
  private readonly nids: Uint32Array;
  private readonly sizes: Uint32Array;
  private readonly devices: Uint16Array;
  private readonly addresses: Float64Array;
  private readonly rootNid: number;
  private readonly blobs: BlobFiles;

  /**
   * Walks the tree and sorts.
   *
   * @param ranks filled with the rank of each node, plus one
   */
  constructor(fs: ImageFileSystem, image: Image, blobs: BlobFiles, ranks: RankTable) {
    // Counted first: arrays that grow would leave the thread with several times the memory it needs.
    let count = 0;
    forEachSmallFile(fs, image, () => count++);
    const nids = new Uint32Array(count);
    const devices = new Uint16Array(count);
    const addresses = new Float64Array(count);
    let row = 0;
    forEachSmallFile(fs, image, (nid, extent) => {
      nids[row] = nid;
      devices[row] = extent.device;
      addresses[row++] = extent.address;
    });
    const byAddress = Uint32Array.from(nids.keys()).sort(
      (a, b) =>
        (devices[a] as number) - (devices[b] as number) ||
        (addresses[a] as number) - (addresses[b] as number),
    );
    this.blobs = blobs;
    this.rootNid = image.handle.rootNid;
    this.count = count;
    this.nids = byAddress.map((r) => at(nids, r));
    this.sizes = this.nids.map((nid) => inodeSize(image.v, image.inodeAt(nid)));
    this.devices = new Uint16Array(count).map((_, i) => at(devices, at(byAddress, i)));
    this.addresses = new Float64Array(count).map((_, i) => at(addresses, at(byAddress, i)));
    for (let i = 0; i < count; i++) ranks[this.nodeAt(i)] = i + 1;
  }

  nodeAt(rank: number): number {
    return swapRoot(at(this.nids, rank), this.rootNid);
  }

  sizeAt(rank: number): number {
    return at(this.sizes, rank);
  }

  distance(from: number, rank: number): number {
    return at(this.addresses, rank) - at(this.addresses, from);
  }

  runEnd(from: number, last: number, limit: number): number {
    const start = at(this.addresses, from);
    let reach = start + this.sizeAt(from);
    let end = from + 1;
    for (; end < last; end++) {
      const address = at(this.addresses, end);
      if (this.devices[end] !== this.devices[from] || address > reach + MAX_GAP) break;
      reach = Math.max(reach, address + this.sizeAt(end));
      if (reach - start > limit) break;
    }
    return end;
  }

  readRun(from: number, end: number, out: Uint8Array, outAt: number): number {
    let length = 0;
    for (let i = from; i < end; i++) length = Math.max(length, this.distance(from, i) + this.sizeAt(i));
    return this.blobs.read(at(this.devices, from), at(this.addresses, from), length, out, outAt);
  }
}

/** A row of a column: rows and ranks are below `count`, which every column has. */
const at = (column: Uint16Array | Uint32Array | Float64Array, row: number): number => column[row] as number;

/** Calls back for each small file whose data is one run in one file; a file of several names once. */
function forEachSmallFile(
  fs: ImageFileSystem,
  image: Image,
  found: (nid: number, extent: Extent) => void,
): void {
  const extent: Extent = { device: 0, address: 0, length: 0 };
  const seen = new Uint8Array(nodeCount(image.handle));
  forEachFile(fs, ROOT_NODE, seen, (nid) => {
    const at = image.inodeAt(nid);
    const size = inodeSize(image.v, at);
    if (size === 0 || size > SMALL_FILE) return;
    image.extent(at, 0, size, extent);
    if (extent.device >= 0 && extent.length >= size) found(nid, extent);
  });
}
