import { createHash } from "node:crypto";
import { ftruncateSync, readSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import type { LayerRequest } from "./create.ts";
import type { LayerTar } from "./layer-tar.ts";
import type { Blob } from "./plan.ts";
import type { SideBlob } from "./side-blob.ts";

/** Read, written and hashed at once. */
const STEP = 1 << 20;
const ZEROS = new Uint8Array(STEP);
/** Steps between two looks at what else there is to do: signals. */
const STEPS_A_TURN = 64;

/** A side blob that is written and has no name yet. */
export interface StoredSideBlob {
  readonly blob: Blob;
  /** Gives it its name in the blob directory. */
  place(): void;
  /** Removes it, when it has no name. */
  discard(): void;
}

/**
 * Writes the side blob of a layer into the blob directory.
 *
 * @returns undefined when the layer needs none
 * @throws OperationalError when there is no blob directory; what `writeSideBlob` throws
 */
export async function storeSideBlob(
  side: SideBlob,
  tar: LayerTar,
  { layer: { name }, blobDir }: LayerRequest,
): Promise<StoredSideBlob | undefined> {
  if (side.first === undefined) return undefined;
  if (blobDir === undefined)
    throw new OperationalError(
      `${name}: sparse file "${showName(side.first)}" cannot be mapped to blocks of the tar: it needs --blob-dir for a side blob`,
    );
  const file = new AtomicFile(join(blobDir, "blob"));
  try {
    const blob = await writeSideBlob(side, { fd: tar.fd, at: tar.at, name }, file);
    await tar.proveCopies?.(side.copies, file.fd);
    const place = () => file.commit(join(blobDir, blob.id), true);
    return { blob, place, discard: () => file.discard() };
  } catch (error) {
    file.discard();
    throw error;
  }
}

/**
 * Copies what a side blob holds out of the tar, through one buffer. Only data is written: the rest stays holes.
 *
 * @param tar descriptor of the tar, whole by now, where it begins there, and its name for messages
 * @returns the sha256 of all its bytes, holes read as zeros
 * @throws FormatError when the tar has become shorter; system errors
 */
async function writeSideBlob(
  { copies, size }: SideBlob,
  tar: { readonly fd: number; readonly at: number; readonly name: string },
  file: AtomicFile,
): Promise<Blob> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(STEP);
  let at = 0;
  let steps = 0;
  const hashed = async (bytes: Uint8Array) => {
    hash.update(bytes);
    at += bytes.length;
    if (++steps % STEPS_A_TURN === 0) await setImmediate();
  };
  const skip = async (to: number) => {
    while (at < to) await hashed(ZEROS.subarray(0, Math.min(STEP, to - at)));
  };
  for (const { dataAt, sideAt, length } of copies) {
    await skip(sideAt);
    for (let done = 0; done < length; ) {
      const n = readSync(tar.fd, buffer, 0, Math.min(STEP, length - done), tar.at + dataAt + done);
      if (n === 0)
        throw new FormatError("the tar became shorter while it was read", {
          file: tar.name,
          at: dataAt + done,
        });
      const bytes = buffer.subarray(0, n);
      file.write(bytes, sideAt + done);
      await hashed(bytes);
      done += n;
    }
  }
  await skip(size);
  ftruncateSync(file.fd, size);
  return { id: hash.digest("hex"), size };
}
