import { elementAt } from "../bytes/element-at.ts";
import { fstatSync, statSync } from "node:fs";
import type { BlobFile } from "../blob/locate.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { MAX_VALUE } from "../syscalls/mount-api.ts";
import { Loops } from "./loops.ts";

/** What the kernel reads an image from. */
export type Backing = "file" | "loop";

/** The names under which the kernel is told of an image's files. */
export interface BackingNames {
  readonly source: string;
  /** A device each, in slot order. */
  readonly devices: readonly string[];
  /**
   * @param source the name that the kernel was told in the end
   * @throws Error when it may have led elsewhere; to be asked once the kernel has opened it
   */
  verify(source: string): void;
  /** To be called once a mount holds what it needs, or none will. */
  release(): void;
}

/**
 * The kernel reads whole blocks. Where a tar ends inside one, it fails to read that: a loop device has whole sectors
 * only, and of a file it wants all that it asked for (EIO, tried with Linux 6.18).
 *
 * @throws Error naming a file whose end some data may lie in
 */
export function mustBeWhole({ files, handle }: OpenedImage): void {
  const blockSize = 2 ** handle.blockBits;
  files.forEach((file, i) => {
    const rest = file.size % blockSize;
    // The check of the tree lets extents end in a block that is cut short, but in no later one (`checkRange`).
    const most = i === 0 ? file.size : (elementAt(handle.devices, i - 1).blocks + 1) * blockSize - 1;
    if (rest > 0 && !isBlockDevice(file) && file.size - rest < most)
      throw new Error(
        `${file.path}: ${file.size} bytes are no whole number of blocks, the kernel could not read the last ${rest}`,
      );
  });
}

/**
 * Names the files themselves. Links to descriptors, so that neither length nor bytes of a path matter, nor what
 * happens to it; but the image's own path is shown as the mount's source, when it fits.
 */
export function backedByFiles(image: OpenedImage, path: string): BackingNames {
  const self = elementAt(image.files, 0);
  const source = Buffer.byteLength(path) <= MAX_VALUE ? path : descriptorOf(self);
  return {
    source,
    devices: image.files.slice(1).map(descriptorOf),
    verify: (told) => {
      const { dev, ino } = statSync(told);
      if (dev !== self.dev || ino !== self.ino)
        throw new Error(`${path}: another file than the one that was checked`);
    },
    release: () => {},
  };
}

/**
 * Puts a loop device under every file; what is a block device already stays one.
 *
 * @throws Error when a device cannot be had
 */
export function backedByLoops(image: OpenedImage): BackingNames {
  const loops = new Loops();
  try {
    const all = image.files.map((file) =>
      isBlockDevice(file) ? descriptorOf(file) : loops.attach(fdOf(file), file.path),
    );
    return {
      source: elementAt(all, 0),
      devices: all.slice(1),
      verify: () => {},
      release: () => loops.close(),
    };
  } catch (error) {
    loops.close();
    throw error;
  }
}

const isBlockDevice = (file: BlobFile): boolean => fstatSync(fdOf(file)).isBlockDevice();

const descriptorOf = (file: BlobFile): string => `/proc/self/fd/${fdOf(file)}`;

function fdOf({ fd, path }: BlobFile): number {
  if (fd === undefined) throw new Error(`${path}: not held open`);
  return fd;
}
