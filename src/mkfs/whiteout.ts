import { S_IFCHR, S_IFMT } from "../bytes/errno.ts";
import { isDots, SLASH } from "../bytes/name.ts";
import type { NamedValue } from "../erofs/xattr-area.ts";
import type { Tree } from "./tree.ts";

/** How a layer says that something below it is gone. */
export const WHITEOUT_SPECS = ["oci", "overlayfs", "none"] as const;
export type WhiteoutSpec = (typeof WHITEOUT_SPECS)[number];

const MARKER = Buffer.from(".wh.");
const OPAQUE = Buffer.from(".wh..wh..opq");
/** Overlayfs: the attribute of a directory that hides what is below it, when it has this value. */
export const OVERLAY_OPAQUE = Buffer.from("trusted.overlay.opaque");
export const OVERLAY_YES = Buffer.from("y");

/** The name that says of another one that it is gone, under the OCI rules. */
export const markerFor = (name: Uint8Array): Uint8Array => Buffer.concat([MARKER, name]);

/** The name that says of its directory that nothing below shows through. */
export const OPAQUE_MARKER: Uint8Array = OPAQUE;

/** What a name of a layer stands for under the OCI rules: "opaque", "gone" (the name behind `.wh.`), or itself. */
export function markerOf(bytes: Uint8Array, at: number, length: number): "opaque" | "gone" | "itself" {
  if (length <= MARKER.length || !startsWith(bytes, at, length, MARKER)) return "itself";
  return length === OPAQUE.length && startsWith(bytes, at, length, OPAQUE) ? "opaque" : "gone";
}

/** Whether a path's last name is a marker under the OCI rules; slashes behind it do not count. */
export function isMarker(path: Uint8Array): boolean {
  const { at, length } = lastName(path);
  return markerOf(path, at, length) !== "itself";
}

/** Whether a path's last name is a marker of nothing, see `isNamelessMarker`. */
export function endsInNamelessMarker(path: Uint8Array): boolean {
  const { at, length } = lastName(path);
  return isNamelessMarker(path, at, length);
}

function lastName(path: Uint8Array): { at: number; length: number } {
  let end = path.length;
  while (end > 0 && path[end - 1] === SLASH) end--;
  const at = end === 0 ? 0 : path.lastIndexOf(SLASH, end - 1) + 1;
  return { at, length: end - at };
}

/** `.wh.` and nothing, or dots that name no file: what unpacking refuses. */
export function isNamelessMarker(bytes: Uint8Array, at: number, length: number): boolean {
  if (!startsWith(bytes, at, length, MARKER)) return false;
  const rest = length - MARKER.length;
  return rest === 0 || (rest <= 2 && isDots(bytes, at + MARKER.length, rest));
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

/** Overlayfs: a directory with `trusted.overlay.opaque` = "y" hides what is below it. */
export const isOpaque = (xattrs: readonly NamedValue[]): boolean =>
  xattrs.some(({ name, value }) => OVERLAY_OPAQUE.equals(name) && OVERLAY_YES.equals(value));

function startsWith(bytes: Uint8Array, at: number, length: number, prefix: Uint8Array): boolean {
  if (length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}
