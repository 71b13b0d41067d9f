import { OperationalError } from "../bytes/errors.ts";
import type { LayeredImage, MarkerVersion, Version } from "../layers/layered-image.ts";
import { namesOf } from "./find.ts";

/** What layers say of one path. */
export interface Explained {
  readonly path: Uint8Array;
  /** The upper layer's first. */
  readonly versions: readonly Version[];
  readonly markers: readonly MarkerVersion[];
  /** Those of the image, the lowest first; undefined: nobody knows them. */
  readonly layers: LayeredImage["layers"] | undefined;
}

/**
 * What layers say of a path. Symlinks are not followed: this looks at what is there.
 *
 * @throws OperationalError when no layer has it
 */
export function explain(image: LayeredImage, path: string): Explained {
  const node = nodeAt(image, path);
  const [versions, markers] = [image.of(node), image.markersOf(node)];
  return { path: image.path(node), versions, markers, layers: image.layers };
}

/** @returns a node that layers say something of @throws OperationalError when none does */
export function nodeAt(image: LayeredImage, path: string): number {
  const node = image.find(namesOf(path));
  if (node === undefined || image.of(node).length + image.markersOf(node).length === 0)
    throw new OperationalError(`no layer has it: ${path}`);
  return node;
}

/** A layer that has something to say of a path. */
export interface NamedLayer {
  /** Counted from 1, the lowest. */
  readonly number: number;
  readonly layer: LayeredImage["layers"][number];
}

/** The layers that say something of one of these paths, the lowest first. */
export function layersNamed(all: readonly Explained[]): NamedLayer[] {
  const named = new Map<number, NamedLayer>();
  for (const { versions, markers, layers = [] } of all)
    for (const { layer: number } of [...versions, ...markers]) {
      const layer = layers[number - 1];
      if (layer !== undefined) named.set(number, { number, layer });
    }
  return [...named.values()].sort((a, b) => a.number - b.number);
}
