import { OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import type { LayeredImage, Version } from "../layers/layered-image.ts";
import { dataOf } from "../layers/version-data.ts";
import { isRegular, typeWord } from "./attr.ts";
import { findPath, namesOf } from "./find.ts";
import { type ImageView, readError } from "./image-view.ts";

const STEP = 256 << 10;

/**
 * The bytes of a file.
 *
 * @param layer whose version; that which is seen when absent
 * @throws OperationalError when there is none
 */
export function catLayer(image: LayeredImage, path: string, layer?: number): Iterable<Uint8Array> {
  const node = image.find(namesOf(path));
  const versions = node === undefined ? [] : image.of(node);
  const wanted = versions.find((one) => (layer === undefined ? one.fate === "seen" : one.layer === layer));
  if (wanted === undefined) throw new OperationalError(`${path}: ${whyNone(versions, layer)}`);
  mustBeFile(path, wanted, wanted.target);
  return dataOf(image.layers, wanted);
}

/** The same of an image that does not say its layers. */
export function* catBare(view: ImageView, path: string): Generator<Uint8Array> {
  const { node, attr } = findPath(view.fs, path);
  mustBeFile(path, attr);
  const buffer = new Uint8Array(STEP);
  for (let done = 0; done < attr.size; ) {
    const n = view.fs.read(node, done, Math.min(STEP, attr.size - done), buffer, 0);
    if (n <= 0) throw readError(view, path);
    yield buffer.slice(0, n);
    done += n;
  }
}

function whyNone(versions: readonly Version[], layer: number | undefined): string {
  const layers = versions.filter(isRegular).map((one) => one.layer);
  if (versions.length === 0) return "no layer has it";
  const none = layer === undefined ? "not in the image" : `layer ${layer} has none`;
  return layers.length === 0 ? none : `${none}; --layer takes ${layers.join(", ")}`;
}

function mustBeFile(path: string, attr: { readonly mode: number }, target?: Uint8Array): void {
  if (isRegular(attr)) return;
  const where = target === undefined ? "" : ` to ${showName(target)}`;
  throw new OperationalError(`${path}: no file, but of type ${typeWord(attr)}${where}`);
}
