import { type Inside, containerTree } from "./container-tree.ts";
import { startContainerd } from "./containerd.ts";
import type { Engine } from "./engines.ts";
import type { OciImage } from "./oci-image.ts";
import { ROUTES } from "./routes.ts";

const known = new Map<string, Inside[]>();

/** The tree that a container has by containerd's own overlayfs: what every other snapshotter has to show. */
export async function referenceTree(engine: Engine, image: OciImage): Promise<Inside[]> {
  const key = `${engine.name} ${image.manifest.digest}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const containerd = await startContainerd(engine);
  const name = await ROUTES[2].get(containerd, image, "overlayfs");
  await containerd.ask("run", "--detach", "--snapshotter", "overlayfs", name, "reference");
  const tree = containerTree(containerd, "reference");
  known.set(key, tree);
  return tree;
}
