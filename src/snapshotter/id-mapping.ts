import { refuse } from "../containerd/refusal.ts";

/** What a container in a user namespace is to see of an image: ids of the image, shifted. */
export interface IdMapping {
  /** Options of overlayfs, by which containerd maps what is below. */
  readonly options: readonly string[];
  uid(inImage: number): number;
  gid(inImage: number): number;
}

const UIDS = "containerd.io/snapshot/uidmapping";
const GIDS = "containerd.io/snapshot/gidmapping";
/** `first in the container:first on the host:how many`, several with commas between them. */
const RANGES = /^\d+:\d+:\d+(,\d+:\d+:\d+)*$/;

/**
 * @returns undefined where no ids are to be mapped
 * @throws Refusal for labels that say nothing
 */
export function idMappingOf(labels: Readonly<Record<string, string>>): IdMapping | undefined {
  const { [UIDS]: uids, [GIDS]: gids } = labels;
  if (uids === undefined && gids === undefined) return undefined;
  if (!RANGES.test(uids ?? "") || !RANGES.test(gids ?? ""))
    throw refuse("invalid argument", `want ids as first:first:count, not ${uids} and ${gids}`);
  return {
    options: [`uidmap=${uids}`, `gidmap=${gids}`],
    uid: (id) => mapped(id, uids ?? ""),
    gid: (id) => mapped(id, gids ?? ""),
  };
}

/** @returns the id itself where no range has it */
function mapped(id: number, ranges: string): number {
  for (const range of ranges.split(",")) {
    const [inside = 0, outside = 0, count = 0] = range.split(":").map(Number);
    if (id >= inside && id < inside + count) return id - inside + outside;
  }
  return id;
}
