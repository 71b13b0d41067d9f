import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobFile, blobFile } from "../blob/locate.ts";
import { elementAt } from "../bytes/element-at.ts";
import { messageOf } from "../bytes/errors.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { strangerOf } from "../safe-open/strangers.ts";

/** The first is on disk, mostly: the kernel mounts no image from a file on tmpfs. */
const PLACES = (): readonly string[] => ["/var/tmp", tmpdir()];
const FUSE_SUPER_MAGIC = 0x65735546;

/** What the kernel is to be told. */
interface Unchangeable {
  readonly image: OpenedImage;
  /** Of the image. */
  readonly path: string;
  /** To be called in any case, once the kernel has it, or will not. */
  close(): void;
}

/**
 * The kernel reads metadata whenever it needs them, long after they were checked. Where others may write to the image it gets
 * a file of its own, with the very bytes that were checked.
 *
 * @param image whose files are all held open
 * @throws Error with the reason why it cannot be copied
 */
export function unchangeable(image: OpenedImage, path: string): Unchangeable {
  const self = elementAt(image.files, 0);
  const stranger = strangerOfFile(self);
  if (stranger === undefined) return { image, path, close: () => {} };
  // Of an image with data in it only the metadata were read.
  if (image.handle.isFlat || !image.report.loaded.every((granule) => granule === 1))
    throw new Error(`${self.path} ${stranger}: the kernel would read what nobody has checked`);
  const copy = copyOf(self.path, new Uint8Array(image.handle.shared));
  const close = () => {
    closeSync(copy.fd);
    rmSync(copy.path, { force: true });
  };
  return { image: { ...image, files: [copy, ...image.files.slice(1)] }, path: copy.path, close };
}

/** Who else may change what the kernel reads there; the server of a FUSE file system says of its files what it likes. */
function strangerOfFile({ fd, path }: BlobFile): string | undefined {
  if (fd === undefined) throw new Error(`${path}: not held open`);
  const { type } = statfsSync(`/proc/self/fd/${fd}`);
  return type === FUSE_SUPER_MAGIC ? "lies in a FUSE file system" : strangerOf(fstatSync(fd));
}

/** It keeps its name until the kernel has it: nothing without a name can be shown under another one. */
function copyOf(path: string, bytes: Uint8Array): BlobFile & { readonly fd: number } {
  const problems: string[] = [];
  for (const dir of PLACES()) {
    const name = join(dir, `.nydusd-ts-${randomBytes(8).toString("hex")}`);
    try {
      const fd = written(name, bytes);
      return { ...blobFile(name, fstatSync(fd)), fd };
    } catch (error) {
      rmSync(name, { force: true });
      problems.push(messageOf(error));
    }
  }
  throw new Error(`${path}: no private copy of it for the kernel: ${elementAt(problems, 0)}`);
}

/** @returns a descriptor to read it by */
function written(name: string, bytes: Uint8Array): number {
  const out = openSync(name, "wx", 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(out, bytes, done);
    return openSync(name, "r");
  } finally {
    closeSync(out);
  }
}
