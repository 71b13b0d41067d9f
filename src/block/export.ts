import { fstatSync, ftruncateSync, statSync } from "node:fs";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { OperationalError } from "../bytes/errors.ts";
import { alignUp } from "../bytes/u64.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { DIGEST_SIZE, HASH_BLOCK, levelsOf, treeSize, type VerityParameters } from "../verity/hash-tree.ts";
import { verityHeader } from "../verity/superblock.ts";
import { upperLevels } from "../verity/upper-levels.ts";
import { copyRuns } from "./copy-runs.ts";
import type { DiskFile } from "./disk-reader.ts";
import type { FlatDisk } from "./flat-disk.ts";
import { hashInThreads } from "./hash-threads.ts";
import { mustHaveRoom } from "./room.ts";

const FLUSH_MS = 100;

/** A disk that is to become a file. */
export interface ExportRequest {
  readonly disk: FlatDisk;
  /** As the runs of the disk number them. */
  readonly files: readonly DiskFile[];
  readonly output: string;
  readonly verity?: VerityRequest | undefined;
  /** One cell in shared memory, told how many bytes of the disk are done. */
  readonly done?: Float64Array | undefined;
}

export interface VerityRequest {
  readonly dataBlock: number;
  readonly salt: Uint8Array;
  readonly hasSuperblock: boolean;
  /** The tree alone is written, of a disk that is nowhere. */
  readonly isAlone: boolean;
}

/** What `veritysetup` has to be told. */
export interface Verity extends VerityParameters {
  readonly root: Uint8Array;
  /** Byte of the file where superblock or tree begin. */
  readonly hashOffset: number;
}

/**
 * Writes a disk to a file, which appears when it is whole.
 *
 * @throws OperationalError, or the system error of opening the output
 */
export async function exportDisk(request: ExportRequest): Promise<Verity | undefined> {
  const { disk, files, output, verity, done = newDone() } = request;
  await loadSystemCalls();
  mustBeNoPart(request);
  mustHaveRoom(request);
  const out = new AtomicFile(output);
  try {
    if (!verity?.isAlone) ftruncateSync(out.fd, disk.size);
    let made: Verity | undefined;
    if (verity !== undefined) made = await writeVerity(request, verity, out);
    else await copyRuns(disk, files, out, done);
    await out.flushed();
    out.commit();
    return made;
  } finally {
    out.discard();
  }
}

/** Makes the hash tree of a disk, and writes the disk in front of it, unless the tree is alone. */
export async function writeVerity(
  { disk, files, done = newDone() }: Pick<ExportRequest, "disk" | "files" | "done">,
  { dataBlock, salt, hasSuperblock, isAlone }: VerityRequest,
  out: AtomicFile,
): Promise<Verity> {
  const parameters: VerityParameters = { dataBlock, dataBlocks: disk.size / dataBlock, salt };
  const hashOffset = isAlone ? 0 : alignUp(disk.size, HASH_BLOCK);
  const treeAt = hashOffset + (hasSuperblock ? HASH_BLOCK : 0);
  const [lowest] = levelsOf(parameters.dataBlocks);
  ftruncateSync(out.fd, treeAt + treeSize(parameters.dataBlocks));
  const file = { fd: out.fd, name: out.path };
  const digests = new Uint8Array(new SharedArrayBuffer((lowest?.blocks ?? 1) * DIGEST_SIZE));
  // The disk has to work meanwhile: threads that hash can wait for nothing.
  const timer = setInterval(() => out.flushBehind(done[0] ?? 0), FLUSH_MS);
  const hashing = hashInThreads({
    ...{ size: disk.size, runs: disk.runs, files, parameters, digests, done },
    copyTo: isAlone ? undefined : file,
    tree: { ...file, at: treeAt + (lowest?.at ?? 0) * HASH_BLOCK },
    next: new Int32Array(new SharedArrayBuffer(4)),
  });
  await hashing.finally(() => clearInterval(timer));
  const root = upperLevels(parameters, digests, (block, at) => out.write(block, treeAt + at));
  if (hasSuperblock) out.write(verityHeader(parameters, root), hashOffset);
  return { ...parameters, root, hashOffset };
}

/** A cell that nobody reads. */
const newDone = (): Float64Array => new Float64Array(new SharedArrayBuffer(8));

/** @throws OperationalError when the output is what the disk is made of, which would be gone then */
function mustBeNoPart({ files, output }: ExportRequest): void {
  const out = statSync(output, { throwIfNoEntry: false });
  if (out === undefined) return;
  for (const { fd, name } of files) {
    const { dev, ino } = fstatSync(fd);
    if (dev === out.dev && ino === out.ino)
      throw new OperationalError(`${output}: is ${name}, which the disk is made of; want another name`);
  }
}
