import { messageOf } from "../bytes/errors.ts";
import { parseJson } from "../bytes/bounded-json.ts";
import { isRecord } from "../config-file/keys.ts";
import type { Containerd } from "../containerd/client.ts";
import type { Inventory } from "../containerd/inventory.ts";
import type { Image } from "../containerd/gen/images_pb.ts";
import { type Finding, ok, warn } from "./finding.ts";

/** Longest document of an image that is read: a manifest of thousands of layers is shorter. */
const MAX_DOCUMENT = 4n << 20n;
/** Indexes that point to indexes: nobody makes more. */
const MAX_DEPTH = 4;
/** Names that are told. */
const TOLD = 5;

/**
 * Images whose layers containerd does not have any more: another snapshotter cannot be filled from it with them.
 */
export async function examineDiscardedLayers(
  containerd: Containerd,
  inventory: Inventory,
  signal: AbortSignal,
): Promise<Finding> {
  const name = "discarded-layers";
  const found: string[] = [];
  let images = 0;
  try {
    for (const namespace of await inventory.namespaces(signal)) {
      const blobs = await inventory.blobs(namespace, signal);
      for (const image of await inventory.images(namespace, signal)) {
        images++;
        if (await lacksLayers(new Documents(containerd, namespace, blobs, signal), image))
          found.push(`${namespace}/${image.name}`);
      }
    }
  } catch (error) {
    return warn(name, messageOf(error), "ask again when containerd answers");
  }
  if (found.length === 0) return ok(name, `${images} images, all of them with their layers`);
  const more = found.length > TOLD ? ` and ${found.length - TOLD} more` : "";
  return warn(
    name,
    `containerd has no layers any more of ${found.slice(0, TOLD).join(", ")}${more}`,
    "remove and pull them again before another snapshotter is to run them; discard_unpacked_layers = false keeps layers",
  );
}

const lacksLayers = (documents: Documents, { target }: Image): Promise<boolean> =>
  target === undefined ? Promise.resolve(false) : documents.lackLayers(target.digest, target.size, 0);

class Documents {
  private readonly containerd: Containerd;
  private readonly namespace: string;
  private readonly blobs: ReadonlySet<string>;
  private readonly signal: AbortSignal;

  constructor(containerd: Containerd, namespace: string, blobs: ReadonlySet<string>, signal: AbortSignal) {
    this.containerd = containerd;
    this.namespace = namespace;
    this.blobs = blobs;
    this.signal = signal;
  }

  /** Of other platforms of an image neither configuration nor layers are fetched: these lack nothing. */
  async lackLayers(digest: string, size: bigint, depth: number): Promise<boolean> {
    if (!this.blobs.has(digest) || size > MAX_DOCUMENT || depth > MAX_DEPTH) return false;
    const document = await this.read(digest);
    for (const each of descriptorsOf(document, "manifests"))
      if (await this.lackLayers(each.digest, each.size, depth + 1)) return true;
    const [config] = descriptorsOf({ config: [document["config"]] }, "config");
    if (config === undefined || !this.blobs.has(config.digest)) return false;
    return descriptorsOf(document, "layers").some((layer) => !this.blobs.has(layer.digest));
  }

  private async read(digest: string): Promise<Record<string, unknown>> {
    const parts: Uint8Array[] = [];
    for await (const part of this.containerd.read(digest, this.namespace, this.signal)) parts.push(part);
    try {
      const document = parseJson(Buffer.concat(parts));
      return isRecord(document) ? document : {};
    } catch {
      return {}; // what is no document has no layers
    }
  }
}

function descriptorsOf(document: Record<string, unknown>, key: string): { digest: string; size: bigint }[] {
  const list = document[key];
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown) => {
    if (!isRecord(each)) return [];
    const { digest, size } = each;
    return typeof digest === "string" && Number.isSafeInteger(size)
      ? [{ digest, size: BigInt(Number(size)) }]
      : [];
  });
}
