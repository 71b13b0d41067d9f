import { closeSync } from "node:fs";
import { type BlobSearch, locateBlob } from "../blob/locate.ts";
import { elementAt } from "../bytes/element-at.ts";
import { OperationalError } from "../bytes/errors.ts";
import { readTables } from "../erofs/open.ts";
import { openBootstrap } from "../fs/open-image.ts";

/** A layer of an image, and its tar. */
interface LayerTar {
  /** Blob id, "" when the image gives it none. */
  readonly id: string;
  readonly path: string;
}

/**
 * Finds the tar of one layer.
 *
 * @param layer its number from 1, as the image numbers its blobs, or its id, or the beginning of one
 * @throws OperationalError, FormatError when the image has no such layer, or several
 */
export function layerTar(path: string, search: BlobSearch, layer: string): LayerTar {
  const { fd, stats } = openBootstrap(path);
  try {
    const { devices, sb, isFlat } = readTables(fd, stats.size, path);
    if (isFlat)
      throw new OperationalError(`${path}: is a disk already, which has no tars: want its bootstrap`);
    const slots = devices.flatMap(({ id }, i) => (isCalled(id, i, layer) ? [i] : []));
    const [slot] = slots;
    if (slot === undefined || slots.length > 1)
      throw new OperationalError(
        `${path}: ${slots.length === 0 ? "no" : slots.length} layers are called ${layer}; it has ${devices.length}: ` +
          devices.map(({ id }, i) => `${i + 1} ${id.slice(0, 12)}`).join(", "),
      );
    const { id, blocks } = elementAt(devices, slot);
    return { id, path: locateBlob(search, slot, id, blocks * sb.blockSize).path };
  } finally {
    closeSync(fd);
  }
}

const isCalled = (id: string, i: number, layer: string): boolean =>
  layer === String(i + 1) || id === layer || (layer.length >= 6 && id.startsWith(layer));
