import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, readSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { OperationalError } from "../bytes/errors.ts";
import { type LayerFile, openAgain } from "../tar/layer-file.ts";
import { UNSYNCED } from "./cache.ts";
import { type PrepareContext, remember } from "./layers.ts";

/** Read, written and hashed at once. */
const STEP = 1 << 20;
const ZEROS = new Uint8Array(STEP);
/** Steps between two looks at what else there is to do: signals. */
const STEPS_A_TURN = 64;

/**
 * A layer of an archive that was packed with `tar -S` is in pieces there: it is copied into the cache once, with its holes.
 *
 * @returns the copy; any other layer as it is
 */
export async function inOnePiece(file: LayerFile, context: PrepareContext): Promise<LayerFile> {
  const { name, part, pieces } = file;
  if (part === undefined || pieces === undefined) return file;
  const { cache } = context;
  let id = cache.find(file)?.id;
  if (id === undefined) {
    cache.mustTake(pieces.reduce((sum, { length }) => sum + length, 0));
    const out = new AtomicFile(join(cache.blobs, "member"), false);
    try {
      id = await copy(file, part.size, pieces, out);
      out.commit(join(cache.blobs, id + UNSYNCED), true);
    } finally {
      out.discard();
    }
    remember(context, file, { id, kind: "stored" });
  }
  return { path: cache.blob(id), name };
}

/** @returns the sha256 of all bytes, those in holes too */
async function copy(
  file: LayerFile,
  size: number,
  pieces: NonNullable<LayerFile["pieces"]>,
  out: AtomicFile,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(STEP);
  let steps = 0;
  const rest = async () => {
    if (++steps % STEPS_A_TURN === 0) await setImmediate();
  };
  let end = 0;
  const holeTo = async (to: number) => {
    for (; end < to; end = Math.min(to, end + STEP)) {
      hash.update(ZEROS.subarray(0, Math.min(STEP, to - end)));
      await rest();
    }
  };
  const fd = openAgain(file);
  try {
    for (const { offset, length, dataAt } of pieces) {
      await holeTo(offset);
      for (; end < offset + length; await rest()) {
        const want = Math.min(STEP, offset + length - end);
        const n = readSync(fd, buffer, 0, want, dataAt + end - offset);
        if (n === 0) throw new OperationalError(`${file.name}: became shorter while it was read`);
        out.write(buffer.subarray(0, n), end);
        hash.update(buffer.subarray(0, n));
        end += n;
      }
    }
    await holeTo(size);
    ftruncateSync(out.fd, size);
    return hash.digest("hex");
  } finally {
    closeSync(fd);
  }
}
