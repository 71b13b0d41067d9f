import { elementAt } from "../bytes/element-at.ts";
import { OperationalError } from "../bytes/errors.ts";
import { fnv } from "../bytes/fnv.ts";
import { showName } from "../bytes/name.ts";
import { HOLE, INLINE } from "../erofs/image.ts";
import type { WalkEntry } from "../fs/walk.ts";
import { runsOf } from "./data.ts";
import { blobName, type ImageView } from "./image-view.ts";
import { type HeaderFacts, TarIndex, tarIndexAt } from "./tar-index.ts";

const PERMISSIONS = 0o7777;

/** Holds what an image says of files against the headers in front of their data. */
export class HeaderCheck {
  private readonly view: ImageView;
  private readonly mayBeNone: (slot: number) => boolean;
  /** By slot; undefined for a blob that is no tar, like a side blob. */
  private readonly indexes = new Map<number, TarIndex | undefined>();

  /** @param mayBeNone the blob may be no tar */
  constructor(view: ImageView, mayBeNone: (slot: number) => boolean) {
    this.view = view;
    this.mayBeNone = mayBeNone;
  }

  /** @param walked a regular file. @throws OperationalError saying how they differ; FormatError for a tar that is none */
  check({ attr, name, path }: WalkEntry): void {
    const { image, tables, files } = this.view;
    const run = runsOf(image, attr).next().value;
    // Sparse files that begin with a hole, and blobs that have no file of their own, are left to the reading.
    if (run === undefined || run.device === HOLE || run.device === INLINE || run.device === 0) return;
    const slot = run.device - 1;
    const index = this.indexOf(slot);
    if (index === undefined || run.address >= index.end) return;
    const differs = (what: string): never => {
      throw new OperationalError(
        `${showName(path)}: ${what} (blob ${blobName(this.view, slot)}, ${elementAt(files, slot + 1).path}, byte ${run.address})`,
      );
    };
    const header = index.find(run.address) ?? differs("no header of the tar has its data");
    if (header.isSparse) return;
    if (header.size !== attr.size) differs(`${attr.size} bytes, its header says ${header.size}`);
    // nydus-image takes a file's attributes from whichever of its names comes first.
    if (attr.nlink > 1) return;
    const mode = attr.mode & PERMISSIONS;
    if (header.mode !== mode) differs(`mode ${mode.toString(8)}, its header says ${header.mode.toString(8)}`);
    if (tables.rafs?.hasOwners !== false && !hasOwners(header, attr))
      differs(`owner ${attr.uid}:${attr.gid}, its header says ${header.uid}:${header.gid}`);
    if (header.nameHash !== fnv(name, 0, name.length)) differs("its header has another name");
  }

  private indexOf(slot: number): TarIndex | undefined {
    if (!this.indexes.has(slot)) {
      const { path } = elementAt(this.view.files, slot + 1);
      this.indexes.set(slot, this.mayBeNone(slot) ? tarIndexAt(path) : new TarIndex(path));
    }
    return this.indexes.get(slot);
  }
}

const hasOwners = (header: HeaderFacts, { uid, gid }: WalkEntry["attr"]): boolean =>
  header.uid === uid && header.gid === gid;
