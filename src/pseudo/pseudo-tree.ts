import { MAX_NAME, MAX_PATH } from "../bytes/limits.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { nodeIn, slotOf, VIRTUAL } from "../vfs/node-id.ts";
import type { EntryChange } from "./change.ts";
import { FIRST_COOKIE } from "./pseudo-file-system.ts";

/** A virtual directory, or the place of an image when it has no children map. */
interface TreeNode {
  readonly directory: number;
  readonly name: Uint8Array;
  readonly cookie: number;
  readonly node: number;
  readonly ino: number;
  readonly children: Map<string, TreeNode> | undefined;
}

/** Why an image cannot be mounted at a path. */
export type Obstacle = "taken" | "below" | "above";

/**
 * The mountpoints of a session by path, and what has to change in the virtual directories when one comes or goes.
 * Directories on the way to a mountpoint are made with it and go with the last one that needs them.
 */
export class PseudoTree {
  private readonly top = new Map<string, TreeNode>();
  private lastDirectory = 0;
  private lastCookie = FIRST_COOKIE;

  /** @returns what is in the way: an image there, above it, or below it */
  obstacleAt(names: readonly string[]): Obstacle | undefined {
    let children = this.top;
    for (const [depth, name] of names.entries()) {
      const place: TreeNode | undefined = children.get(name);
      if (place === undefined) return undefined;
      if (place.children === undefined) return depth === names.length - 1 ? "taken" : "above";
      children = place.children;
    }
    return children.size > 0 ? "below" : undefined;
  }

  /** @returns node of the directory in which the last of `names` will be */
  plan(
    names: readonly string[],
    root: { node: number; ino: number },
  ): { parent: number; entries: EntryChange[] } {
    const entries: EntryChange[] = [];
    let children = this.top;
    let directory = ROOT_NODE;
    names.forEach((name, depth) => {
      let place = children.get(name);
      if (place === undefined) {
        const isLast = depth === names.length - 1;
        const node = isLast ? root.node : nodeIn(VIRTUAL, ++this.lastDirectory);
        place = {
          directory,
          name: Buffer.from(name),
          cookie: this.lastCookie++,
          node,
          ino: isLast ? root.ino : node,
          children: isLast ? undefined : new Map(),
        };
        children.set(name, place);
        entries.push(entryOf(place));
      }
      if (place.children === undefined) return;
      children = place.children;
      directory = place.node;
    });
    return { parent: directory, entries };
  }

  /** Lets the last of `names`, a mountpoint, lead to another image. */
  lead(names: readonly string[], root: { node: number; ino: number }): EntryChange[] {
    const siblings = names.length === 1 ? this.top : this.find(names.slice(0, -1))?.children;
    const old = this.find(names);
    if (old === undefined || siblings === undefined) return [];
    const place = { ...old, ...root };
    siblings.set(names.at(-1) ?? "", place);
    return [entryOf(place)];
  }

  /** Takes a mountpoint away, and the directories that only it needed: the last one is the first that goes. */
  remove(names: readonly string[]): EntryChange[] {
    const entries: EntryChange[] = [];
    for (let depth = names.length; depth > 0; depth--) {
      const place = this.find(names.slice(0, depth));
      if (place === undefined || (place.children?.size ?? 0) > 0) break;
      const siblings = depth === 1 ? this.top : this.find(names.slice(0, depth - 1))?.children;
      siblings?.delete(names[depth - 1] ?? "");
      entries.push({ ...entryOf(place), node: 0 });
    }
    return entries;
  }

  /** @returns how far directories and cookies were counted */
  get counted(): { readonly lastDirectory: number; readonly lastCookie: number } {
    const { lastDirectory, lastCookie } = this;
    return { lastDirectory, lastCookie };
  }

  /**
   * Makes the tree what another one was, or it itself before.
   *
   * @param entries all of it
   */
  restore(entries: readonly EntryChange[], counted: PseudoTree["counted"]): void {
    this.lastDirectory = counted.lastDirectory;
    this.lastCookie = counted.lastCookie;
    this.top.clear();
    const directories = new Map([[ROOT_NODE, this.top]]);
    // A directory is older than what is in it.
    for (const entry of [...entries].sort((a, b) => a.cookie - b.cookie)) {
      const children = slotOf(entry.node) === VIRTUAL ? new Map<string, TreeNode>() : undefined;
      if (children !== undefined) directories.set(entry.node, children);
      directories.get(entry.directory)?.set(Buffer.from(entry.name).toString(), { ...entry, children });
    }
  }

  /** Everything there is, for a thread that joins later. */
  all(): EntryChange[] {
    const entries: EntryChange[] = [];
    const add = (children: Map<string, TreeNode>): void => {
      for (const place of children.values()) {
        entries.push(entryOf(place));
        if (place.children !== undefined) add(place.children);
      }
    };
    add(this.top);
    return entries.sort((a, b) => a.cookie - b.cookie);
  }

  private find(names: readonly string[]): TreeNode | undefined {
    let children: Map<string, TreeNode> | undefined = this.top;
    let place: TreeNode | undefined;
    for (const name of names) {
      place = children?.get(name);
      children = place?.children;
    }
    return place;
  }
}

const entryOf = ({ directory, name, cookie, node, ino }: TreeNode): EntryChange => ({
  directory,
  name,
  cookie,
  node,
  ino,
});

/**
 * The names of a path within a session, `/` having none.
 *
 * @returns undefined for what is no absolute path, or has names that no file system has
 */
export function namesOf(path: string): string[] | undefined {
  if (!path.startsWith("/") || path.includes("\0") || Buffer.byteLength(path) > MAX_PATH) return undefined;
  const names = path.split("/").filter((name) => name !== "");
  const isName = (name: string) => name !== "." && name !== ".." && Buffer.byteLength(name) <= MAX_NAME;
  return names.every(isName) ? names : undefined;
}

/** One path for one place: `/a//b/` is `/a/b`. */
export const mountPath = (names: readonly string[]): string => `/${names.join("/")}`;
