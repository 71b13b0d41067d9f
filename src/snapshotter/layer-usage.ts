import { refuse } from "../containerd/refusal.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { Usage } from "./snapshot-directories.ts";

/** What a snapshot takes that is a layer of the store. @throws Refusal when that is not there */
export function layerUsage(store: LayerStore, diffId: string): Usage {
  const layer = store.get(diffId);
  if (layer === undefined)
    throw refuse("failed precondition", `layer ${diffId} is not in the store any more`);
  const { tarBytes, bootstrapBytes, side } = layer;
  return { size: tarBytes + bootstrapBytes + (side?.bytes ?? 0), inodes: side === undefined ? 2 : 3 };
}
