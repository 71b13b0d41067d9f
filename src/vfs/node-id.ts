import { TWO_32 } from "../bytes/u64.ts";
import { ROOT_NODE } from "./file-system.ts";

/*
 * A session may show many images: a node is `slot · 2^32 + node within the image`. The first image that is mounted
 * at the root has slot 0, so that its nodes are what they would be alone. Exact as a number: slots have 21 bits.
 */

/** Images have slots below this one; it holds the directories that lead to them. */
export const VIRTUAL = 2 ** 20;

export const slotOf = (node: number): number => (node < TWO_32 ? 0 : Math.floor(node / TWO_32));

/** The node within its image. */
export const localOf = (node: number): number => node >>> 0;

export const nodeIn = (slot: number, local: number): number => slot * TWO_32 + local;

/** nid to node and back, its own inverse: the root's nid and FUSE's 1 change places. */
export const swapRoot = (id: number, rootNid: number): number =>
  id === ROOT_NODE ? rootNid : id === rootNid ? ROOT_NODE : id;
