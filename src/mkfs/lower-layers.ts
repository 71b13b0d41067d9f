import { implicitParent } from "./archive-paths.ts";
import { NONE, ROOT, type Tree } from "./tree.ts";

/**
 * What of a tree the layer at hand has brought, and what lies below it: whiteouts of a layer take away the latter, wherever they
 * stand in it. As umoci does; containerd takes away also what came before a whiteout in its own layer (0032).
 */
export class LowerLayers {
  private readonly tree: Tree;
  /** By node, the number of the last layer that … */
  private brought: Uint32Array = new Uint32Array(0); // … brought it, or something below it
  private named: Uint32Array = new Uint32Array(0); //   … had a change for it
  private swept: Uint32Array = new Uint32Array(0); //   … has nothing of lower ones left below it
  /** By swept directory: its children from this one on were looked at. */
  private sweptTo = new Int32Array(0);
  /** By swept directory: children below which a whiteout has made directories since. */
  private readonly made = new Map<number, number[]>();
  private layer = 0;

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** From now on everything that is there belongs to lower layers. */
  begin(): void {
    this.layer++;
    this.made.clear();
  }

  /** A whiteout made a directory that nothing of the layer is in yet, and that a later one may take away again. */
  madeForWhiteout(node: number): void {
    const { tree, layer } = this;
    this.reserve();
    for (let at = tree.parent[node]; at !== ROOT && at !== NONE; at = tree.parent[at]) {
      const above = tree.parent[at];
      if (this.swept[above] !== layer) return;
      const children = this.made.get(above);
      if (children?.at(-1) === at) return;
      if (children === undefined) this.made.set(above, [at]);
      else children.push(at);
    }
  }

  /** The layer has a change for a node. */
  bring(node: number): void {
    const { tree, layer } = this;
    this.reserve();
    this.named[node] = layer;
    for (let at = node; at !== NONE && this.brought[at] !== layer; at = tree.parent[at]) {
      tree.steps++;
      this.brought[at] = layer;
    }
  }

  /** Whether the layer has brought a node, or something below it. */
  hasBrought(node: number): boolean {
    return this.brought[node] === this.layer;
  }

  /** Whether the layer has a change for the node itself. */
  hasNamed(node: number): boolean {
    return this.named[node] === this.layer;
  }

  /** A whiteout of a name: what the layer has brought stays, in directories as if the layer alone had made them. */
  takeAway(node: number): void {
    const { tree } = this;
    if (!tree.isLive(node)) return;
    if (!this.hasBrought(node)) {
      tree.remove(node);
      return;
    }
    this.empty(node);
    if (!this.hasNamed(node) && tree.isDirectory(node)) tree.put(node, tree.newInode(implicitParent()));
  }

  /** An opaque directory. Each child is looked at once in a layer: what is kept stays the layer's own. */
  empty(directory: number): void {
    const { tree, layer, made } = this;
    this.reserve();
    const stack = [directory];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const until = this.swept[top] === layer ? this.sweptTo[top] : NONE;
      this.swept[top] = layer;
      for (const child of made.get(top) ?? []) stack.push(child);
      made.delete(top);
      tree.sweep(top, until, (child) => {
        const isKept = this.hasBrought(child);
        if (isKept) stack.push(child);
        return isKept;
      });
      this.sweptTo[top] = tree.firstChild[top];
    }
  }

  private reserve(): void {
    const { length } = this.tree.parent;
    if (this.brought.length === length) return;
    this.brought = longer(this.brought, length);
    this.named = longer(this.named, length);
    this.swept = longer(this.swept, length);
    const sweptTo = new Int32Array(length);
    sweptTo.set(this.sweptTo);
    this.sweptTo = sweptTo;
  }
}

function longer(old: Uint32Array, length: number): Uint32Array {
  const made = new Uint32Array(length);
  made.set(old);
  return made;
}
