import { chmodSync, closeSync, fstatSync, fsyncSync, openSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../bytes/errors.ts";
import { createLayerImage, type LayerImage } from "../mkfs/create.ts";
import { type LayerFile, openedFile, wholeFile } from "../tar/layer-file.ts";
import type { BlobInput } from "./blob-input.ts";
import { BlobProblem } from "./blob-problem.ts";
import { idOfDiff } from "./store-places.ts";
import { type Converted, type ConvertTask, type LayerFacts, STAGED_BOOTSTRAP } from "./tasks.ts";

const CHUNK_SIZE = 0x10_0000;
/** What is in the store never changes. */
const MODE = 0o444;

/**
 * Makes tar and bootstrap of a layer: one reading decompresses, hashes and indexes. Both are on disk then, their names are not.
 *
 * @param input its bytes, without a file
 * @throws BlobProblem; what building throws; the directory is the caller's to remove
 */
export async function convertLayer(
  task: ConvertTask,
  input: BlobInput | undefined,
  warn: (message: string) => void,
): Promise<Converted> {
  const { stage, digest, size, own } = task;
  const layer = openBlob(task);
  try {
    const made = await createLayerImage({
      layer,
      ...(input === undefined ? {} : { stdin: () => input.readable }),
      ...{ isOfImage: true, blobId: own?.isTrusted ? idOfDiff(digest) : undefined, keepsBlobs: true },
      ...{ blobDir: stage, blobLink: own === undefined ? "hard" : "none" },
      ...{ chunkSize: CHUNK_SIZE, isRepeatable: false, ignoreZeros: false, prefetch: [] },
      ...{ whiteouts: "oci", done: task.done, warn },
    });
    await input?.finish(size);
    if (made.isPlain && `sha256:${made.id}` !== digest && digest.startsWith("sha256:"))
      throw new BlobProblem(`${digest}: its bytes are damaged: their digest is sha256:${made.id}`);
    if (own === undefined) settleTar(join(stage, made.id), made.isPlain);
    return { ...settled(stage, made), isNew: own === undefined };
  } finally {
    if (layer.fd !== undefined) closeSync(layer.fd);
  }
}

function openBlob({ file, digest, size }: ConvertTask): LayerFile {
  if (file === undefined) return wholeFile("-", digest);
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    throw new BlobProblem(`${digest}: ${messageOf(error)}`, { cause: error });
  }
  const found = fstatSync(fd).size;
  if (found === size) return openedFile(fd, file, digest);
  closeSync(fd);
  throw new BlobProblem(`${digest}: ${file} has ${found} bytes, want ${size}`);
}

/** @param isPlain else it came by a stream, and was synced as it got its name */
function settleTar(tar: string, isPlain: boolean): void {
  // A file that has another name keeps its mode there, too.
  if (statSync(tar).nlink === 1) chmodSync(tar, MODE);
  if (!isPlain) return;
  const fd = openSync(tar, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function settled(stage: string, { id, sideId, image, blobSize }: LayerImage): LayerFacts {
  const fd = openSync(join(stage, STAGED_BOOTSTRAP), "wx", MODE);
  try {
    writeFileSync(fd, image);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  const side = sideId === undefined ? undefined : { id: sideId, bytes: statSync(join(stage, sideId)).size };
  return { id, tarBytes: blobSize, bootstrapBytes: image.length, side };
}
