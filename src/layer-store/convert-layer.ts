import { chmodSync, closeSync, fstatSync, fsyncSync, openSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf } from "../bytes/errors.ts";
import { createLayerImage, type LayerImage } from "../mkfs/create.ts";
import { hashFile } from "../mkfs/hash-file.ts";
import { type LayerFile, openedFile, wholeFile } from "../tar/layer-file.ts";
import type { BlobInput } from "./blob-input.ts";
import { BlobProblem, WrongBytes } from "./blob-problem.ts";
import { idOfDiff } from "./store-places.ts";
import { type Converted, type ConvertTask, type LayerFacts, STAGED_BOOTSTRAP } from "./tasks.ts";

const CHUNK_SIZE = 0x10_0000;
/** What is in the store never changes. */
const MODE = 0o444;

/**
 * Makes tar and bootstrap of a layer: one reading decompresses, hashes and indexes. Both are on disk then, their names are not.
 *
 * @param input its bytes, without a file
 * @throws WrongBytes, BlobProblem; what building throws; the directory is the caller's to remove
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
      throw wrongBytes(digest, made.id);
    if (own === undefined) settleTar(join(stage, made.id), made.isPlain);
    return { ...settled(stage, made), isNew: own === undefined };
  } catch (error) {
    if (own !== undefined && codeOf(error) === "") mustBeRight(layer.fd ?? -1, digest);
    throw error;
  } finally {
    if (layer.fd !== undefined) closeSync(layer.fd);
  }
}

const wrongBytes = (digest: string, id: string) =>
  new WrongBytes(`${digest}: its bytes are damaged: their digest is sha256:${id}`);

/** Tells a tar that is damaged from one that this builder cannot read. @throws WrongBytes */
function mustBeRight(fd: number, digest: string): void {
  const limit = new Float64Array([fstatSync(fd).size]);
  const id = hashFile({ fd, at: 0, limit, isWhole: new Int32Array([1]), done: undefined });
  if (id !== idOfDiff(digest)) throw wrongBytes(digest, id);
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
