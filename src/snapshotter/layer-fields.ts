import type { Fields } from "../log/log-line.ts";
import { namespaceOf, type SnapshotRecord } from "./record.ts";

/** Said by those of containerd's pullers that say for which image a layer is. */
const IMAGE = "containerd.io/snapshot/cri.image-ref";

/** Which layer a line of the log is about, and whose it is. @param layer digest, as containerd has it */
export function layerFields({ key, labels }: Pick<SnapshotRecord, "key" | "labels">, layer: string): Fields {
  const image = labels[IMAGE];
  return { namespace: namespaceOf(key), snapshot: key, layer, ...(image === undefined ? {} : { image }) };
}
