import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { isBlobProblem } from "../layer-store/blob-problem.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import { NotConvertible } from "../layer-store/not-convertible.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import type { MountMeans } from "../snapshotter/mount-image.ts";
import { makeRoot } from "../snapshotter/own-root.ts";
import { LayerMounts } from "./layer-mount.ts";
import { eachOnce, layoutLayers, type OfferedLayer } from "./layout-layers.ts";
import { TarsOfBlobs } from "./tars-of-blobs.ts";

export interface AlsOptions {
  /** Where tars and bootstraps are kept. */
  readonly root: string;
  /** The additional layer store. */
  readonly directory: string;
  /** OCI image layouts. */
  readonly layouts: readonly string[];
  readonly means: MountMeans;
  /** Take layers back that no layout has any more. */
  readonly prunes: boolean;
  readonly warn: (message: string) => void;
}

/** How many layers. */
export interface AlsReport {
  readonly added: number;
  /** That were there. */
  readonly kept: number;
  readonly removed: number;
  /** That are damaged, or no tars which can be mounted: engines pull them as ever. */
  readonly leftOut: number;
  /** Else no layer was taken back: of some image, it is not known which are its. */
  readonly isWhole: boolean;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Has a directory offer the layers of images to what shares their storage library: podman, buildah, CRI-O. What is offered already
 * stays as it is.
 *
 * @throws OperationalError; what was added until then stays
 * @see https://github.com/containers/storage (additional layer stores)
 */
export async function fillLayerStore(options: AlsOptions): Promise<AlsReport> {
  const { means, prunes, warn } = options;
  const found = options.layouts.map((dir) => layoutLayers(resolve(dir), warn));
  const wanted = eachOnce(found.flatMap((layout) => layout.layers));
  const isWhole = found.every((layout) => layout.isWhole);
  const root = own(join(makeRoot(options.root), "als"), 0o700);
  const store = await LayerStore.open(join(root, "store"), { info: () => {}, warn });
  try {
    const boots = own(join(root, "boots"), 0o700);
    const tars = new TarsOfBlobs(own(join(root, "converted"), 0o700), store);
    const layers = own(options.directory, 0o755);
    const mounts = new LayerMounts({ layers, boots, blobs: store.blobDir }, means, warn);
    const counts = { added: 0, kept: 0, removed: 0, leftOut: 0 };
    for (const layer of wanted) counts[await offer(layer, tars, mounts, warn)]++;
    if (prunes && isWhole) counts.removed = await prune(wanted, layers, tars, mounts);
    return { ...counts, isWhole };
  } finally {
    await store.close();
  }
}

async function offer(
  layer: OfferedLayer,
  tars: TarsOfBlobs,
  mounts: LayerMounts,
  warn: (message: string) => void,
): Promise<"added" | "kept" | "leftOut"> {
  const { digest, file, diffId } = layer;
  if (mounts.isMounted(digest)) return "kept";
  try {
    const stored = await tars.of(layer);
    if (stored.diffId !== diffId)
      throw new OperationalError(`${file}: its tar is ${stored.diffId}, its image says ${diffId}`);
    await mounts.add(layer, stored);
    return "added";
  } catch (error) {
    if (!(error instanceof NotConvertible || isBlobProblem(error))) throw error;
    warn(`${digest}: not offered: ${messageOf(error)}`);
    return "leftOut";
  }
}

/** @returns how many layers are gone */
async function prune(
  wanted: readonly OfferedLayer[],
  layers: string,
  tars: TarsOfBlobs,
  mounts: LayerMounts,
): Promise<number> {
  const digests = new Set(wanted.map(({ digest }) => digest));
  const others = readdirSync(layers).filter((name) => DIGEST.test(name) && !digests.has(name));
  for (const digest of others) await mounts.remove(digest);
  await tars.keepOnly(digests);
  return others.length;
}

/** @returns its path without links, as the kernel's table of mounts has it */
function own(path: string, make: number): string {
  try {
    return mustBeOwnDirectory(path, { make });
  } catch (error) {
    throw new OperationalError(`${path}: ${messageOf(error)}`);
  }
}
