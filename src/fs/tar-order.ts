import type { BlobFiles } from "../blob/blob-files.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { type Extent, type Image, INLINE } from "../erofs/image.ts";
import { inodeMode, inodeSize } from "../erofs/inode.ts";
import { type DataOrder, type PlaceTable, SMALL_FILE } from "../vfs/data-order.ts";
import { newEntry } from "../vfs/file-system.ts";
import { type ImageFileSystem, swapRoot } from "./image-file-system.ts";

/** Two files farther apart are read separately: what lies between would be read for nothing. */
const MAX_GAP = 64 * 1024;
const DT_DIRECTORY = 4;
const DT_REGULAR = 8;

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
   * @param places filled with the place of each node, plus one
   */
  constructor(fs: ImageFileSystem, image: Image, blobs: BlobFiles, places: PlaceTable) {
    const found = collect(fs, image);
    const byAddress = Uint32Array.from(found.nids.keys()).sort(
      (a, b) => found.devices[a] - found.devices[b] || found.addresses[a] - found.addresses[b],
    );
    this.blobs = blobs;
    this.rootNid = image.handle.rootNid;
    this.count = byAddress.length;
    this.nids = new Uint32Array(this.count);
    this.sizes = new Uint32Array(this.count);
    this.devices = new Uint16Array(this.count);
    this.addresses = new Float64Array(this.count);
    for (let i = 0; i < this.count; i++) {
      const row = byAddress[i];
      this.nids[i] = found.nids[row];
      this.sizes[i] = found.sizes[row];
      this.devices[i] = found.devices[row];
      this.addresses[i] = found.addresses[row];
      places[this.nodeAt(i)] = i + 1;
    }
  }

  nodeAt(place: number): number {
    return swapRoot(this.nids[place], this.rootNid);
  }

  sizeAt(place: number): number {
    return this.sizes[place];
  }

  distance(from: number, place: number): number {
    return this.addresses[place] - this.addresses[from];
  }

  stretchEnd(from: number, last: number, limit: number): number {
    let reach = this.addresses[from] + this.sizes[from];
    let end = from + 1;
    for (; end < last; end++) {
      if (this.devices[end] !== this.devices[from] || this.addresses[end] > reach + MAX_GAP) break;
      reach = Math.max(reach, this.addresses[end] + this.sizes[end]);
      if (reach - this.addresses[from] > limit) break;
    }
    return end;
  }

  readStretch(from: number, end: number, out: Uint8Array, at: number): number {
    let length = 0;
    for (let i = from; i < end; i++) length = Math.max(length, this.distance(from, i) + this.sizes[i]);
    return this.blobs.read(this.devices[from], this.addresses[from], length, out, at);
  }
}

interface Found {
  readonly nids: number[];
  readonly sizes: number[];
  readonly devices: number[];
  readonly addresses: number[];
}

function collect(fs: ImageFileSystem, image: Image): Found {
  const found: Found = { nids: [], sizes: [], devices: [], addresses: [] };
  const entry = newEntry();
  const extent: Extent = { device: 0, address: 0, length: 0 };
  const seen = new Uint8Array(Math.ceil(image.handle.shared.byteLength / 32));
  const directories = [1];
  for (let i = 0; i < directories.length; i++)
    for (let cookie = 0; fs.entry(directories[i], cookie, entry) === 1; cookie = entry.next) {
      if (entry.node === 0 || isDots(entry.bytes, entry.nameAt, entry.nameLength)) continue;
      const at = image.inodeAt(entry.ino);
      if (entry.type === DT_DIRECTORY && (inodeMode(image.v, at) & S_IFMT) === S_IFDIR)
        directories.push(entry.node);
      if (entry.type !== DT_REGULAR || (inodeMode(image.v, at) & S_IFMT) !== S_IFREG || seen[entry.ino])
        continue;
      const size = inodeSize(image.v, at);
      if (size === 0 || size > SMALL_FILE) continue;
      image.extent(at, 0, size, extent);
      if (extent.device < 0 || extent.device === INLINE || extent.length < size) continue;
      seen[entry.ino] = 1;
      found.nids.push(entry.ino);
      found.sizes.push(size);
      found.devices.push(extent.device);
      found.addresses.push(extent.address);
    }
  return found;
}

const isDots = (bytes: Uint8Array, at: number, length: number): boolean =>
  bytes[at] === 0x2e && (length === 1 || (length === 2 && bytes[at + 1] === 0x2e));
