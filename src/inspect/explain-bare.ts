import { elementAt } from "../bytes/element-at.ts";
import { HOLE, INLINE } from "../erofs/image.ts";
import type { VersionPiece } from "../layers/layered-image.ts";
import { isRegular } from "./attr.ts";
import { runsOf } from "./data.ts";
import { targetOf } from "./describe.ts";
import type { Explained } from "./explain.ts";
import { findPath } from "./find.ts";
import type { ImageView } from "./image-view.ts";

/**
 * What an image shows at a path that does not say which layers it was made of: what is seen, and no more.
 *
 * @throws OperationalError when there is nothing
 */
export function explainBare(view: ImageView, path: string): Explained {
  const walked = findPath(view.fs, path);
  const { attr } = walked;
  const { mode, uid, gid, size, mtime, mtimeNsec, rdev } = attr;
  const pieces: VersionPiece[] = [];
  for (const { device, address, length, offset } of isRegular(attr) ? runsOf(view.image, attr) : [])
    if (device !== HOLE)
      pieces.push({ ...{ offset, length, dataAt: address }, blobId: blobOf(view, device) });
  const seen = { layer: 0, isImplicit: false, fate: "seen", by: undefined } as const;
  const target = targetOf(view, walked);
  const version = { ...seen, mode, uid, gid, size, mtime, mtimeNsec, rdev, target, pieces };
  return { path: walked.path, versions: [version], markers: [], layers: undefined };
}

const blobOf = ({ tables }: ImageView, device: number): string =>
  device === 0 || device === INLINE ? "image" : elementAt(tables.devices, device - 1).id || String(device);
