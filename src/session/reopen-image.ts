import { closeSync, fstatSync } from "node:fs";
import type { HeldFiles } from "../blob/held-files.ts";
import { type BlobFile, openSame } from "../blob/locate.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { nodeCount } from "../erofs/image.ts";
import { reopenImage } from "../fs/open-image.ts";
import type { Logger } from "../log/log.ts";
import type { CheckedState, ImageState } from "./snapshot.ts";
import { Prefetching } from "./prefetching.ts";
import type { ImageChoice, PinnedImage } from "./pinned-image.ts";

/** How an image was chosen, as it can be written down: a map is none in JSON. */
export const choiceState = ({ places: { known, files, ...places }, ...rest }: ImageChoice): unknown => ({
  ...rest,
  places: { ...places, files: [...files] },
});

function choiceOf(state: unknown): ImageChoice {
  const { places, ...rest } = state as ImageChoice & { places: { files: [string, string][] } };
  return { ...rest, places: { ...places, files: new Map(places.files) } };
}

/** What was found out about an image when it was checked; undefined: some of it was corrupt, and was mended. */
export function checkedState({ image }: PinnedImage): CheckedState | undefined {
  const { handle, report } = image;
  const { inodes, directories, loaded, corrupt } = report;
  if (corrupt > 0) return undefined;
  const { hasXattrs, hasAcls, valid } = handle;
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  return {
    sound: text(new Uint8Array(valid, 0, Math.min(valid.byteLength, Math.ceil(nodeCount(handle) / 8)))),
    loaded: text(loaded),
    hasXattrs,
    hasAcls,
    inodes,
    directories,
  };
}

/**
 * Takes an image that another process served: the very files that it had, or nothing.
 *
 * @param checked what that process knew of it
 * @throws OperationalError when the image is not what it was; a blob that is not will answer EIO
 */
export function reopenAndPin(
  state: ImageState,
  checked: CheckedState | undefined,
  held: HeldFiles,
  log: Logger,
): PinnedImage {
  const [self, ...blobs] = state.files;
  const choice = choiceOf(state.choice);
  let image: PinnedImage["image"];
  try {
    const fd = openSame(self);
    try {
      const { mtimeMs, ctimeMs, size } = fstatSync(fd);
      if (mtimeMs !== self.mtime || size !== self.size)
        throw new Error("the bootstrap was changed in place since it was mounted");
      const isSame = ctimeMs === self.ctime; // or it was given another name, which is no change
      image = reopenImage(
        fd,
        [self, ...blobs],
        state.isLenient,
        isSame && checked ? treeOf(checked) : undefined,
        choice.verity,
      );
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new OperationalError(`${state.source}, an image of the session to go on with: ${messageOf(error)}`);
  }
  const files = image.files.map((file) => holdOrLose(file, held, log));
  // The process that served before has prefetched it, or most of it.
  const prefetching = new Prefetching(undefined, log);
  return { image: { ...image, files }, source: state.source, choice, prefetching };
}

const treeOf = ({ sound, loaded, ...rest }: CheckedState) => ({
  ...rest,
  valid: Buffer.from(sound, "base64"),
  loaded: Buffer.from(loaded, "base64"),
});

function holdOrLose(file: BlobFile, held: HeldFiles, log: Logger): BlobFile {
  try {
    return held.hold([file])[0];
  } catch (error) {
    log.error(`${messageOf(error)}: reads of it answer EIO`);
    return file;
  }
}
