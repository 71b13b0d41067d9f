import { S_IFDIR, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { type Extent, type Image, nodeCount } from "../erofs/image.ts";
import { inodeMode, inodeSize } from "../erofs/inode.ts";
import { forEachFile } from "../fs/walk.ts";
import type { ImageFileSystem } from "../fs/image-file-system.ts";
import { swapRoot } from "../vfs/node-id.ts";
import { Rows } from "./rows.ts";
import { REQUEST } from "./request.ts";

/** Columns of runs: a file that holds data (0 is the image itself), a range of it, how many files count with it. */
export const RUN = { DEVICE: 0, ADDRESS: 1, LENGTH: 2, FILES: 3, WIDTH: 4 } as const;
/** What lies between two runs that are this near is read with them: asking twice costs more. */
const MAX_GAP = 64 * 1024;
/** A run of so many bytes is joined with no more: what it holds counts when it was read. */
const ENOUGH = 1 << 20;

/** Turns a request for one image into runs of its tars. What was planned once is not planned again. */
export class Planner {
  private readonly fs: ImageFileSystem;
  private readonly image: Image;
  /** By nid: files that were planned as a whole, directories that were walked. */
  private readonly whole: Uint8Array;
  /** By nid: files that count already, with the first piece of them. */
  private readonly counted: Uint8Array;
  private readonly extent: Extent = { device: 0, address: 0, length: 0 };

  constructor(fs: ImageFileSystem, image: Image) {
    this.fs = fs;
    this.image = image;
    const nids = nodeCount(image.handle);
    this.whole = new Uint8Array(nids);
    this.counted = new Uint8Array(nids);
  }

  /**
   * @param request rows of REQUEST
   * @returns rows of RUN, in the order of the tars, near ones joined
   */
  plan(request: Float64Array): Rows {
    const rows = new Rows(REQUEST.WIDTH, request);
    const pieces = new Rows(RUN.WIDTH);
    for (let row = 0; row < rows.length; row++) {
      const node = rows.get(row, REQUEST.NODE);
      const nid = swapRoot(node, this.image.handle.rootNid);
      if (this.whole[nid]) continue;
      const length = rows.get(row, REQUEST.LENGTH);
      const type = inodeMode(this.image.v, this.image.inodeAt(nid)) & S_IFMT;
      if (type === S_IFREG) this.addPiece(nid, rows.get(row, REQUEST.OFFSET), length, pieces);
      if (type === S_IFDIR || length === Number.POSITIVE_INFINITY) this.whole[nid] = 1;
      if (type === S_IFDIR)
        forEachFile(this.fs, node, this.whole, (each) =>
          this.addPiece(each, 0, Number.POSITIVE_INFINITY, pieces),
        );
    }
    return joined(pieces);
  }

  private addPiece(nid: number, offset: number, most: number, pieces: Rows): void {
    const { image, extent } = this;
    const at = image.inodeAt(nid);
    const end = Math.min(offset + most, inodeSize(image.v, at));
    for (let from = offset; from < end; from += extent.length) {
      image.extent(at, from, end - from, extent);
      if (extent.device < 0) continue; // a hole, or what is in memory already
      const length = Math.min(extent.length, end - from);
      pieces.add(extent.device, extent.address, length, this.counted[nid] === 0 ? 1 : 0);
      this.counted[nid] = 1;
    }
  }
}

function joined(pieces: Rows): Rows {
  const { DEVICE, ADDRESS, LENGTH, FILES } = RUN;
  const order = Uint32Array.from({ length: pieces.length }, (_, i) => i).sort(
    (a, b) =>
      pieces.get(a, DEVICE) - pieces.get(b, DEVICE) || pieces.get(a, ADDRESS) - pieces.get(b, ADDRESS),
  );
  const runs = new Rows(RUN.WIDTH);
  let device = -1;
  let from = 0;
  let end = 0;
  let files = 0;
  const close = () => {
    if (device >= 0) runs.add(device, from, end - from, files);
  };
  for (const piece of order) {
    const address = pieces.get(piece, ADDRESS);
    const pieceEnd = address + pieces.get(piece, LENGTH);
    const isNear = pieces.get(piece, DEVICE) === device && address <= end + MAX_GAP;
    if (!isNear || (end - from >= ENOUGH && pieceEnd > end)) {
      close();
      from = isNear ? Math.max(address, end) : address;
      end = from;
      device = pieces.get(piece, DEVICE);
      files = 0;
    }
    end = Math.max(end, pieceEnd);
    files += pieces.get(piece, FILES);
  }
  close();
  return runs;
}
