import { BlobFiles } from "../blob/blob-files.ts";
import { OpenFiles } from "../blob/open-files.ts";
import { Image } from "../erofs/image.ts";
import type { ImageFileSystem } from "../fs/image-file-system.ts";
import { type LedgerRows, WorkerLedger } from "../fuse/worker-ledger.ts";
import { COUNT } from "../counters/counters.ts";
import { PseudoFileSystem } from "../pseudo/pseudo-file-system.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { VIRTUAL } from "../vfs/node-id.ts";
import type { Change, SharedImage } from "./change.ts";
import { corruptBlocks } from "./corrupt-blocks.ts";
import { ForcedGc } from "./forced-gc.ts";
import { fileSystemOf } from "./traced-file-system.ts";
import type { WorkerEvent, WorkerTask } from "./worker-task.ts";

/** The images of a session in one worker: as a file system, and the books that are kept of them. */
export class WorkerImages {
  readonly ledger: WorkerLedger;
  private readonly rows: LedgerRows;
  private readonly tell: (event: WorkerEvent) => void;
  /** One for all images: they may be many. */
  private readonly open: OpenFiles;
  private readonly pseudo: PseudoFileSystem;
  /** Of the only image, where there will never be another: what all images in one cost is 0.1 s of a first walk. */
  private fixed: ImageFileSystem | undefined;
  private readonly isFixed: boolean;
  private readonly images: (SharedImage | undefined)[] = [];
  private readonly forcedGc = new ForcedGc();

  constructor(
    {
      traits,
      since,
      counters,
      inflightTable,
      isFixed,
      maxOpen,
    }: Pick<WorkerTask, "traits" | "since" | "counters" | "inflightTable" | "isFixed" | "maxOpen">,
    rows: LedgerRows,
    tell: (event: WorkerEvent) => void,
  ) {
    this.rows = rows;
    this.tell = tell;
    this.isFixed = isFixed;
    this.open = new OpenFiles(maxOpen);
    this.pseudo = new PseudoFileSystem(traits, since);
    this.ledger = new WorkerLedger(counters, inflightTable, rows, (slot) =>
      tell({ type: "sequential", slot }),
    );
  }

  apply({ tree, images }: Change): void {
    const made = new Map<number, ImageFileSystem>();
    for (const image of images) {
      const fs = this.fileSystemOf(image);
      made.set(image.slot, fs);
      if (this.isFixed) this.fixed = fs;
      this.ledger.add(image);
      this.images[image.slot] = image;
    }
    this.pseudo.apply(tree, (slot) => {
      const fs = made.get(slot);
      if (fs === undefined) throw new Error(`no image came with slot ${slot}`);
      return fs;
    });
    this.ledger.setRoot(tree.rootSlot ?? VIRTUAL);
    for (const slot of tree.freed) this.forget(slot);
    if (tree.freed.length > 0) this.forcedGc.collectIfDue();
  }

  /** All images in one; to be asked for when there are those to begin with. */
  fileSystem(): FileSystem {
    return this.fixed ?? this.pseudo;
  }

  private forget(slot: number): void {
    this.ledger.remove(slot);
    const gone = this.images[slot];
    this.images[slot] = undefined;
    if (gone === undefined) return;
    this.open.drop(gone.files);
    this.forcedGc.freed(gone.handle.shared.byteLength);
  }

  close(): void {
    this.open.close();
  }

  private fileSystemOf({ handle, files, failedBlobs, counters, trace }: SharedImage): ImageFileSystem {
    const mine = this.ledger.countersIn(counters);
    const onFailure = (_: number, message: string) => {
      mine[COUNT.LOST_BLOBS]++;
      this.tell({ type: "problem", message });
    };
    const image = new Image(handle);
    const tellCorrupt = corruptBlocks(image, files, (message) => this.tell({ type: "problem", message }));
    const blobs = new BlobFiles(files, onFailure, new Uint8Array(failedBlobs), this.open, (...block) => {
      mine[COUNT.CORRUPT_BLOCKS]++;
      tellCorrupt(...block);
    });
    return fileSystemOf(image, blobs, trace?.[this.rows.row], this.rows.mutex);
  }
}
