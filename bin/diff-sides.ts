import type { Command } from "commander";
import { OperationalError } from "../src/bytes/errors.ts";
import type { Side } from "../src/layers/side.ts";
import type { IdleOption } from "../src/source/prepare.ts";
import type { Compared, DiffFlags, LayerRange } from "./diff-flags.ts";
import { warn } from "./help.ts";
import { type Inside, layered, mustHaveLayers, withInside } from "./inside.ts";

/**
 * Opens what is compared, while `use` does that.
 *
 * @param image the only one, or the first of two
 * @throws as `withInside`; OperationalError for an option that has no meaning for any image
 */
export async function withSides<T>(
  image: string,
  compared: Compared,
  flags: DiffFlags,
  command: Command,
  use: (before: Side, after: Side) => Promise<T>,
): Promise<T> {
  const { ref: refs = [], ...rest } = flags;
  const [first, second = first] = refs;
  const isRead = flags.data || flags.semantic;
  const idle = new IdleOptions("other" in compared ? 2 : 1, refs.length > 1);
  const open = (path: string, ref: string | undefined, useIt: (inside: Inside) => Promise<T>) => {
    const given = { ...rest, ...(ref === undefined ? {} : { ref }) };
    const onIdle = (option: IdleOption) => idle.add(path, option);
    return withInside(path, given, command, useIt, { isAboutLayers: false, onIdle });
  };
  return open(image, first, async (inside) => {
    if ("range" in compared) return use(...(await sidesOf(image, inside, compared.range)));
    const { other } = compared;
    return open(other, second, async (another) => {
      const looksForBlobs = [inside, another].some(
        ({ kind }, i) => kind === "layers" && !idle.isIdle("--blob-dir", i === 0 ? image : other),
      );
      if (flags.blobDir.length > 0 && !isRead && !looksForBlobs)
        warn("--blob-dir has no effect: without --data no tar of a bootstrap is read");
      return use(await sideOf(inside, isRead), await sideOf(another, isRead));
    });
  });
}

/** Options that have no meaning for one of the images are for the other. */
class IdleOptions {
  private readonly images: number;
  private readonly isRefOfEach: boolean;
  private readonly paths = new Map<string, string[]>();

  constructor(images: number, isRefOfEach: boolean) {
    this.images = images;
    this.isRefOfEach = isRefOfEach;
  }

  /** @throws OperationalError when it is for none */
  add(path: string, { option, problemWith }: IdleOption): void {
    const paths = [...(this.paths.get(option) ?? []), path];
    this.paths.set(option, paths);
    if (paths.length < this.images && !(option === "--ref" && this.isRefOfEach)) return;
    throw new OperationalError(problemWith([...new Set(paths)].join(", ")));
  }

  isIdle(option: string, path: string): boolean {
    return this.paths.get(option)?.includes(path) === true;
  }
}

async function sidesOf(path: string, inside: Inside, { from, to, said }: LayerRange): Promise<[Side, Side]> {
  if (inside.kind === "bare")
    throw new OperationalError(`${path}: nobody knows which layers it has, and what each of them changes`);
  const { sideOfLayers } = await import("../src/layers/side.ts");
  mustHaveLayers(inside.layers, Math.max(from, to), said);
  const side = async (layer: number) => sideOfLayers(await layered(inside.layers, layer));
  return [await side(from), await side(to)];
}

async function sideOf(inside: Inside, isRead: boolean): Promise<Side> {
  if (inside.kind === "layers") {
    const { sideOfLayers } = await import("../src/layers/side.ts");
    return sideOfLayers(await layered(inside.layers));
  }
  const { openImageView } = await import("../src/inspect/image-view.ts");
  const { sideOfBare } = await import("../src/inspect/bare-image.ts");
  return sideOfBare(openImageView(inside.bootstrap, isRead ? inside.search : undefined), inside.bootstrap);
}
