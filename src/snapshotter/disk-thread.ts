import "../path-bytes/thread.ts";
import { parentPort, workerData } from "node:worker_threads";
import { exportDisk } from "../block/export.ts";
import { FLATTENED, openImageDisk } from "../block/image-disk.ts";
import { messageOf } from "../bytes/errors.ts";
import { type DiskTree, writeTree } from "./disk-tree.ts";

/** A disk to make of an image. */
export interface DiskTask {
  readonly bootstrap: string;
  /** Where its tars lie, each under its id. */
  readonly blobDir: string;
  readonly output: string;
  readonly hasVerity: boolean;
}

/** The hash tree, if one was asked for; or why there is no disk. */
export type DiskMade = { readonly tree: DiskTree | undefined } | { readonly problem: string };

if (parentPort === null) throw new Error("snapshotter/disk-thread runs in a worker thread only");
parentPort.postMessage(await make(workerData));

async function make({ bootstrap, blobDir, output, hasVerity }: DiskTask): Promise<DiskMade> {
  try {
    const { disk, files, blockSize, close } = openImageDisk(
      bootstrap,
      { dirs: [blobDir], files: new Map() },
      FLATTENED,
    );
    try {
      const salt = new Uint8Array(0);
      const terms = { dataBlock: blockSize, salt, hasSuperblock: false, isAlone: false };
      const made = await exportDisk({ disk, files, output, verity: hasVerity ? terms : undefined });
      if (made === undefined) return { tree: undefined };
      const { dataBlock, dataBlocks, hashOffset, root } = made;
      const tree = { dataBlock, dataBlocks, hashOffset, root: Buffer.from(root).toString("hex") };
      writeTree(output, tree);
      return { tree };
    } finally {
      close();
    }
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
