import { S_IFCHR, S_IFMT } from "../bytes/errno.ts";
import type { Tree } from "./tree.ts";

/** How a layer says that something below it is gone. */
export const WHITEOUT_SPECS = ["oci", "overlayfs", "none"] as const;
export type WhiteoutSpec = (typeof WHITEOUT_SPECS)[number];

const SLASH = 0x2f;
const MARKER = Buffer.from(".wh.");
const OPAQUE = Buffer.from(".wh..wh..opq");
/** `name_index` 4 is `trusted.`. */
const TRUSTED = 4;
const OVERLAY_OPAQUE = Buffer.from("overlay.opaque");

/** What a name of a layer stands for under the OCI rules: "opaque", "gone" (the name behind `.wh.`), or itself. */
export function markerOf(bytes: Uint8Array, at: number, length: number): "opaque" | "gone" | "itself" {
  if (length <= MARKER.length || !startsWith(bytes, at, length, MARKER)) return "itself";
  return length === OPAQUE.length && startsWith(bytes, at, length, OPAQUE) ? "opaque" : "gone";
}

/** Whether a path's last name is a marker under the OCI rules. */
export function isMarker(path: Uint8Array): boolean {
  const at = path.lastIndexOf(SLASH) + 1;
  return markerOf(path, at, path.length - at) !== "itself";
}

/** Whether a layer's tree takes anything away under the OCI rules. */
export function hasMarkers(tree: Tree): boolean {
  const { pool, nodes, nameAt, nameLength } = tree;
  for (let node = 0; node < nodes; node++)
    if (tree.isLive(node) && markerOf(pool.bytes, nameAt[node], nameLength[node]) !== "itself") return true;
  return false;
}

/** Bytes of the prefix of a marker. */
export const MARKER_LENGTH = MARKER.length;

/** Overlayfs: a character device 0:0 says that the name is gone. */
export const isWhiteoutDevice = (mode: number, rdev: number): boolean =>
  (mode & S_IFMT) === S_IFCHR && rdev === 0;

/** Overlayfs: a directory with `trusted.overlay.opaque` = "y" hides what is below it. @param area as on disk */
export function isOpaqueArea(area: Uint8Array): boolean {
  for (let at = 12; at + 4 <= area.length; ) {
    const nameSize = area[at];
    const valueSize = area[at + 2] | (area[at + 3] << 8);
    const isNamed =
      area[at + 1] === TRUSTED &&
      nameSize === OVERLAY_OPAQUE.length &&
      startsWith(area, at + 4, nameSize, OVERLAY_OPAQUE);
    if (isNamed && valueSize === 1 && area[at + 4 + nameSize] === 0x79) return true;
    at += (4 + nameSize + valueSize + 3) & ~3;
  }
  return false;
}

function startsWith(bytes: Uint8Array, at: number, length: number, prefix: Uint8Array): boolean {
  if (length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}
