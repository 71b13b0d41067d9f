import type { Command } from "commander";
import { OperationalError, UsageError } from "../src/bytes/errors.ts";
import type { LayeredImage } from "../src/layers/layered-image.ts";
import type { IdleOption, PreparedLayer } from "../src/source/prepare.ts";
import { givenOptions } from "./given.ts";
import { warn } from "./help.ts";
import { besideOf } from "./image-options.ts";
import { addSourceOptions } from "./source-options.ts";
import { collect } from "./parse-values.ts";
import type { ImageSource } from "./sources.ts";

/** Where tars are; bin does not know the room that looks for them. */
type BlobSearch = ReturnType<typeof besideOf>;

/** What the commands that look inside an image take, whatever it is. */
export interface InsideFlags extends ImageSource {
  readonly over: readonly string[];
}

/** An image to look into: its layers, lowest first, or as it is, where nobody knows them. */
export type Inside =
  | { readonly kind: "layers"; readonly layers: readonly PreparedLayer[] }
  | { readonly kind: "bare"; readonly bootstrap: string; readonly search: BlobSearch };

/** For a command whose first argument is an image: whatever `mount` takes. @param isOfTwo images */
export function addInside(command: Command, isOfTwo = false): Command {
  command.argument(
    "<image>",
    "whatever mount takes: a bootstrap, a layer, an OCI layout or archive of images",
  );
  command.option("--over <layer>", "another layer above those, may be given several times", collect, []);
  return addSourceOptions(command, isOfTwo);
}

/**
 * Opens an image while `use` looks into it.
 *
 * @param isAboutLayers that nobody knows them is worth a warning
 * @param onIdle as of Sources
 * @throws as `mount` does for what is no image
 */
export async function withInside<T>(
  image: string,
  flags: InsideFlags,
  command: Command,
  use: (inside: Inside) => Promise<T> | T,
  { isAboutLayers = true, onIdle }: { isAboutLayers?: boolean; onIdle?: (option: IdleOption) => void } = {},
): Promise<T> {
  const { prepareSources } = await import("./sources.ts");
  const blobOptions = ["--blob-dir"].filter((name) => givenOptions(command).has(name));
  const prepared = await prepareSources([image, ...flags.over], flags, blobOptions, onIdle);
  try {
    const { layers, bootstrap } = prepared;
    if (layers !== undefined) return await use({ kind: "layers", layers });
    if (isAboutLayers)
      warn(`layers unknown: name the image that ${image} was made from, or its layers with --over`);
    const search = { ...besideOf(bootstrap), dirs: flags.blobDir, isByDirectory: true };
    return await use({ kind: "bare", bootstrap, search });
  } finally {
    prepared.close();
    await prepared.makeDurable(false);
  }
}

/** @param said the option that wants so many, as it was given @throws UsageError when there are fewer */
export function mustHaveLayers({ length }: readonly PreparedLayer[], most: number, said: string): void {
  if (most <= length) return;
  throw new UsageError(`${said}: the image has ${length} ${length === 1 ? "layer" : "layers"}`);
}

/** The lowest layers of an image laid over one another. @param layer the uppermost of them; all when absent */
export async function layered(layers: readonly PreparedLayer[], layer?: number): Promise<LayeredImage> {
  const { LayeredImage } = await import("../src/layers/layered-image.ts");
  return new LayeredImage(layers.slice(0, layer));
}

/** What is seen of an image of which nobody knows the layers. */
export async function bare({ bootstrap }: Extract<Inside, { kind: "bare" }>): Promise<LayeredImage> {
  const { openImageView } = await import("../src/inspect/image-view.ts");
  const { bareImage } = await import("../src/inspect/bare-image.ts");
  return bareImage(openImageView(bootstrap));
}

/** @throws OperationalError where a layer was asked for */
export function mustHaveNoLayer(layer: number | undefined): void {
  if (layer !== undefined)
    throw new OperationalError(`--layer ${layer}: nobody knows which layers the image has`);
}
