import { S_IFCHR } from "../bytes/errno.ts";
import { readArea, xattrArea } from "../erofs/xattr-area.ts";
import { implicitParent } from "./archive-paths.ts";
import { NONE, type Tree } from "./tree.ts";
import { isNamelessMarker, MARKER_LENGTH, markerOf, OVERLAY_OPAQUE, OVERLAY_YES } from "./whiteout.ts";

const fail = (problem: string): never => {
  throw new Error(problem); // what is here was checked when it was read
};

/**
 * Makes of the markers in one layer's tree what overlayfs has for that, so that it can be one of its lower directories: devices 0:0, and an
 * attribute of opaque directories. What the layer brings stays, whatever else it says of the same name.
 *
 * @see https://docs.kernel.org/filesystems/overlayfs.html (whiteouts and opaque directories)
 */
export function toOverlayForm(tree: Tree): void {
  const { nodes } = tree;
  for (let node = 1; node < nodes; node++) {
    if (!tree.isLive(node) || (tree.isDirectory(node) && hasChildren(tree, node))) continue;
    const name = Uint8Array.from(tree.name(node)); // the pool grows
    const marker = markerOf(name, 0, name.length);
    if (marker === "itself") continue;
    const directory = tree.parent[node];
    tree.remove(node);
    if (marker === "opaque") makeOpaque(tree, directory);
    else if (!isNamelessMarker(name, 0, name.length)) takeAway(tree, directory, name.subarray(MARKER_LENGTH));
  }
}

function takeAway(tree: Tree, directory: number, name: Uint8Array): void {
  const own = tree.find(directory, name, 0, name.length);
  if (!tree.isLive(own)) {
    const whiteout = { ...implicitParent(), mode: S_IFCHR, flags: 0 };
    tree.put(tree.node(directory, name, 0, name.length), tree.newInode(whiteout));
  } else if (tree.isDirectory(own)) makeOpaque(tree, own);
}

function hasChildren(tree: Tree, node: number): boolean {
  for (let child = tree.firstChild[node]; child !== NONE; child = tree.sibling[child])
    if (tree.isLive(child)) return true;
  return false;
}

function makeOpaque(tree: Tree, node: number): void {
  const inode = tree.inode[node];
  const { bytes } = tree.pool;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = tree.xattrSize[inode];
  const others = size === 0 ? [] : readArea(view, tree.xattrAt[inode], size, fail);
  const kept = others.filter(({ name }) => !OVERLAY_OPAQUE.equals(name));
  const area = xattrArea([...kept, { name: OVERLAY_OPAQUE, value: OVERLAY_YES }], fail);
  tree.xattrAt[inode] = tree.pool.add(area, 0, area.length);
  tree.xattrSize[inode] = area.length;
}
