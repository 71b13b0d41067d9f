import type { LayeredImage } from "../layers/layered-image.ts";
import type { DirectoryUsage, LayerUsage } from "../layers/usage.ts";
import { largestFirst } from "./du-text.ts";
import { nameField } from "./name-field.ts";

/** A record a layer, the upper one first. */
export const layerUsageRecords = (usage: readonly LayerUsage[], layers: LayeredImage["layers"]): object[] =>
  [...usage].reverse().map(({ layer, own, seen, hidden, idle, entries }) => {
    const { id, made } = layers[layer - 1] ?? {};
    return {
      ...{ by: "layer", layer, diff_id: `sha256:${id}`, own, seen, hidden, idle, entries },
      ...(made?.by === undefined ? {} : { created_by: made.by }),
    };
  });

/** A record a directory, the largest first. */
export const directoryRecords = (
  image: LayeredImage,
  usage: readonly DirectoryUsage[],
  lines: number,
): object[] =>
  largestFirst(image, usage)
    .slice(0, lines)
    .map(({ path, seen, hidden, entries }) => ({
      ...{ by: "dir", ...nameField("path", path), seen, hidden, entries },
    }));
