import { openOutput } from "../atomic-file/output.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { writeTarTo } from "../tar/tar-output.ts";
import { Changes } from "./changes.ts";
import { gzipped, hashed } from "./layer-output.ts";
import { openWritableMount } from "./writable-mount.ts";

export interface CommitOptions {
  /** Mountpoint of a mount with `--rw`, or what lies in it. */
  readonly dir: string;
  /** The directory of `--rw`, where the mount does not show it. */
  readonly changes: string | undefined;
  /** Path, or `-` for standard output. */
  readonly output: string;
  readonly isGzip: boolean;
  /** Told of what a layer cannot hold. */
  readonly warn: (message: string) => void;
}

/** What an image's configuration and manifest say of the layer. */
export interface CommittedLayer {
  readonly entries: number;
  /** sha256 of the tar. */
  readonly diffId: string;
  /** Of what was written. */
  readonly digest: string;
  readonly size: number;
}

/**
 * Writes what was changed in a mount as a layer of an OCI image.
 *
 * @throws OperationalError when there are no changes to be had, one cannot be in a layer, something changes meanwhile, or the
 *   output fails; there is no output then
 */
export async function commitChanges(options: CommitOptions): Promise<CommittedLayer> {
  await loadSystemCalls();
  const mount = openWritableMount(options.dir, options.changes);
  try {
    const blob = hashed(await openOutput(options.output));
    const tar = options.isGzip ? hashed(gzipped(blob)) : blob;
    let entries = 0;
    await writeTarTo(tar, async (writer) => {
      for (const { entry, body } of new Changes(mount, options.warn).entries()) {
        await writer.add(entry, body);
        entries++;
      }
    });
    const digest = blob.digest();
    return { entries, digest, diffId: tar === blob ? digest : tar.digest(), size: blob.size };
  } finally {
    mount.close();
  }
}
