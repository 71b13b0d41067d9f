import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import { NotConvertible } from "../layer-store/not-convertible.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import type { MountMeans } from "../snapshotter/mount-image.ts";
import { LayerMounts } from "./layer-mount.ts";
import { layoutLayers, type OfferedLayer } from "./layout-layers.ts";

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
  /** That are no tars which can be mounted: engines pull them as ever. */
  readonly leftOut: number;
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
  const root = resolve(options.root, "als");
  const [layers, boots] = [resolve(options.directory), join(root, "boots")];
  const wanted = options.layouts.flatMap((dir) => layoutLayers(resolve(dir), warn));
  own(options.root, 0o711);
  own(root, 0o700);
  const store = await LayerStore.open(join(root, "store"), { info: () => {}, warn });
  try {
    own(boots, 0o700);
    own(layers, 0o755);
    const mounts = new LayerMounts({ layers, boots, blobs: store.blobDir }, means, warn);
    const counts = { added: 0, kept: 0, removed: 0, leftOut: 0 };
    for (const layer of new Map(wanted.map((each) => [each.digest, each])).values())
      counts[await offer(layer, store, mounts, warn)]++;
    if (prunes) counts.removed = await prune(wanted, layers, store, mounts);
    return counts;
  } finally {
    await store.close();
  }
}

async function offer(
  layer: OfferedLayer,
  store: LayerStore,
  mounts: LayerMounts,
  warn: (message: string) => void,
): Promise<"added" | "kept" | "leftOut"> {
  const { digest, size, file, diffId } = layer;
  if (mounts.isMounted(digest)) return "kept";
  try {
    const source = { mediaType: "", digest, size, file };
    const stored = store.get(diffId) ?? (await store.convert(source, AbortSignal.any([])));
    if (stored.diffId !== diffId)
      throw new OperationalError(`${file}: its tar is ${stored.diffId}, its image says ${diffId}`);
    await mounts.add(layer, stored);
    return "added";
  } catch (error) {
    if (!(error instanceof NotConvertible)) throw error;
    warn(`${digest}: not offered: ${error.reason}`);
    return "leftOut";
  }
}

/** @returns how many layers are gone */
async function prune(
  wanted: readonly OfferedLayer[],
  layers: string,
  store: LayerStore,
  mounts: LayerMounts,
): Promise<number> {
  const digests = new Set(wanted.map(({ digest }) => digest));
  const others = readdirSync(layers).filter((name) => DIGEST.test(name) && !digests.has(name));
  for (const digest of others) await mounts.remove(digest);
  const diffIds = new Set(wanted.map(({ diffId }) => diffId));
  for (const { diffId } of [...store.all()]) if (!diffIds.has(diffId)) await store.remove("layer", diffId);
  return others.length;
}

function own(path: string, make: number): void {
  try {
    mustBeOwnDirectory(path, { make });
  } catch (error) {
    throw new OperationalError(`${path}: ${messageOf(error)}`);
  }
}
