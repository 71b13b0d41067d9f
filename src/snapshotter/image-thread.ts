import "../path-bytes/thread.ts";
import { parentPort, workerData } from "node:worker_threads";
import { HeldFiles } from "../blob/held-files.ts";
import { FormatError, messageOf } from "../bytes/errors.ts";
import { openImage } from "../fs/open-image.ts";
import { mountDetached } from "../kernel-erofs/mount.ts";
import type { Backing } from "../kernel-erofs/backing.ts";
import { verdictsIn } from "../verdict/verdicts.ts";

/** An image to mount by the kernel. */
export interface ImageTask {
  readonly bootstrap: string;
  /** Where its tars lie, each under its id. */
  readonly blobDir: string;
  readonly mountpoint: string;
  /** Where it is kept what checks found; undefined: nowhere. */
  readonly verdicts?: string;
  /** None: it is looked at, and not mounted. */
  readonly backings: readonly Backing[];
}

/** From what it is mounted, or why it is not. `isDamaged`: the bootstrap itself is the reason. */
export type ImageMounted =
  | { readonly backing: Backing }
  | { readonly problem: string; readonly isDamaged: boolean };

if (parentPort === null) throw new Error("snapshotter/image-thread runs in a worker thread only");
parentPort.postMessage(await mount(workerData));

/** The whole tree is checked, and what the kernel shows compared with it: that takes long for a large image. */
async function mount(task: ImageTask): Promise<ImageMounted> {
  const { bootstrap, blobDir, mountpoint, backings } = task;
  const held = new HeldFiles();
  try {
    const verdicts = task.verdicts === undefined ? undefined : verdictsIn(task.verdicts, () => {});
    const image = openImage(bootstrap, { dirs: [blobDir], files: new Map() }, { verdicts });
    if (backings.length === 0) return { problem: "", isDamaged: false };
    const files = held.hold(image.files);
    const mounted = await mountDetached({ ...image, files }, bootstrap, bootstrap, [], backings);
    try {
      mounted.attach(mountpoint);
    } finally {
      mounted.close();
      held.release(files);
    }
    return { backing: mounted.backing };
  } catch (error) {
    const isDamaged = error instanceof FormatError && error.where.file === bootstrap;
    return { problem: messageOf(error), isDamaged };
  }
}
