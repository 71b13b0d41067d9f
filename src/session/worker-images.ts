import { BlobFiles } from "../blob/blob-files.ts";
import type { BlobFile } from "../blob/locate.ts";
import { OpenFiles } from "../blob/open-files.ts";
import { Image } from "../erofs/image.ts";
import type { ImageFileSystem } from "../fs/image-file-system.ts";
import { Tenants } from "../fuse/tenants.ts";
import { COUNT, countersOf } from "../metrics/counters.ts";
import { PseudoFileSystem } from "../pseudo/pseudo-file-system.ts";
import { VIRTUAL } from "../vfs/node-id.ts";
import type { Change, SharedImage } from "./change.ts";
import { Garbage } from "./garbage.ts";
import { fileSystemOf } from "./traced-file-system.ts";
import type { WorkerEvent, WorkerTask } from "./worker-task.ts";

/** The images of a session in one worker: as a file system, and the books that are kept of them. */
export class WorkerImages {
  readonly fs: PseudoFileSystem;
  readonly tenants: Tenants;
  private readonly index: number;
  private readonly tell: (event: WorkerEvent) => void;
  /** One for all images: they may be many. */
  private readonly open = new OpenFiles();
  private readonly files: (readonly BlobFile[])[] = [];
  private readonly garbage = new Garbage();

  constructor(
    { traits, since, counters, index }: Pick<WorkerTask, "traits" | "since" | "counters" | "index">,
    tell: (event: WorkerEvent) => void,
  ) {
    this.index = index;
    this.tell = tell;
    this.fs = new PseudoFileSystem(traits, since);
    this.tenants = new Tenants(counters, index, (slot) => tell({ type: "sequential", slot }));
  }

  apply({ tree, images }: Change): void {
    const made = new Map<number, ImageFileSystem>();
    for (const image of images) {
      made.set(image.slot, this.fileSystem(image));
      this.tenants.add(image);
      this.files[image.slot] = image.files;
    }
    this.fs.apply(tree, (slot) => {
      const fs = made.get(slot);
      if (fs === undefined) throw new Error(`no image came with slot ${slot}`);
      return fs;
    });
    this.tenants.setRoot(tree.rootSlot ?? VIRTUAL);
    for (const slot of tree.freed) {
      this.tenants.remove(slot);
      this.open.drop(this.files[slot] ?? []);
      delete this.files[slot];
      this.garbage.add();
    }
  }

  close(): void {
    this.open.close();
  }

  private fileSystem({ handle, files, lost, counters, trace }: SharedImage): ImageFileSystem {
    const mine = countersOf(counters, this.index);
    const onLoss = (_: number, message: string) => {
      mine[COUNT.LOST_BLOBS]++;
      this.tell({ type: "problem", message });
    };
    const blobs = new BlobFiles(files, onLoss, new Uint8Array(lost), this.open);
    return fileSystemOf(new Image(handle), blobs, trace?.[this.index]);
  }
}
