import { showName } from "../bytes/name.ts";
import type { EntryKind } from "../tar/entry.ts";
import { type ArchivePaths, type Fail, newPlace, type PathTarget } from "./archive-paths.ts";
import { BudgetExceeded } from "./budget.ts";
import { NONE, type Tree } from "./tree.ts";
import { isMarker } from "./whiteout.ts";

/** What a layer says of one name. */
export interface Change {
  readonly kind: EntryKind;
  /** As archived. */
  readonly path: Uint8Array;
  /** Of a hard link: its target, as archived. */
  readonly link: Uint8Array;
  /** Byte where it is said, for messages and for the order of changes. */
  readonly at: number;
}

/** What a tree makes of changes: of a layer alone, or of a layer over others. */
export interface ChangeRules<C extends Change> {
  /** Whiteouts under the OCI rules are no names. */
  readonly isOci: boolean;
  /** This is the layer alone: what a hard link leads to may be in a layer below. */
  readonly isAlone: boolean;
  /** The fields of a change that is none of a hard link, as a new inode. */
  inodeOf(change: C): number;
  /** A name that is a marker by its kind or spelling. @returns whether it has been dealt with */
  takeMarker(change: C, place: PathTarget): boolean;
  /** Throws, when a hard link may not lead there. */
  checkTarget(change: C, target: number): void;
  /** The change is in the tree now. @param node NONE when its name lies below something that is no directory */
  taken(change: C, node: number, place: PathTarget): void;
  /** Throws, naming a change. */
  fail(change: C, problem: string): never;
}

interface WaitingLink<C> {
  readonly node: number;
  readonly change: C;
}

/**
 * Applies changes to a tree in their order, as unpacking does: later ones replace earlier ones, a directory keeps its children
 * when it is named again. A hard link may come before its target.
 */
export class Unpacker<C extends Change> {
  /** Something that was no directory became one: whatever was there before the layer is gone. */
  hasReplaced = false;
  /** Hard links that had to wait for their target. */
  hasWaited = false;
  private readonly tree: Tree;
  private readonly paths: ArchivePaths;
  private readonly rules: ChangeRules<C>;
  private readonly place = newPlace();
  private readonly target = newPlace();
  /** Whose target's directory is not there. */
  private readonly lost: WaitingLink<C>[] = [];
  /** By the node of the target. */
  private readonly waiting = new Map<number, WaitingLink<C>[]>();
  private isLate = false;
  private current: C | undefined;

  constructor(tree: Tree, paths: ArchivePaths, rules: ChangeRules<C>) {
    this.tree = tree;
    this.paths = paths;
    this.rules = rules;
  }

  /** @throws what the rules' `fail` throws */
  apply(change: C): void {
    this.current = change;
    try {
      this.take(change);
    } catch (error) {
      if (error instanceof BudgetExceeded) this.fail(error.message);
      throw error;
    }
  }

  private take(change: C): void {
    const { tree, place, rules } = this;
    // umoci takes away one by one the files of a directory that has become a file: they are gone with it.
    const isGone = rules.isOci && isMarker(change.path);
    this.paths.resolve(change.path, place, true, this.fail, isGone);
    const { directory } = place;
    if (directory === NONE) {
      rules.taken(change, NONE, place);
      return;
    }
    if (place.nameLength === 0) {
      if (change.kind !== "directory")
        this.fail("it names the root or a directory above it, which is no such thing");
      tree.put(directory, rules.inodeOf(change));
      rules.taken(change, directory, place);
      return;
    }
    if (rules.takeMarker(change, place)) return;
    const node = tree.node(directory, place.path, place.nameAt, place.nameLength);
    const isDirectory = change.kind === "directory";
    if (change.kind === "hardlink") this.link(node, change);
    else if (isDirectory && tree.isDirectory(node)) tree.put(node, rules.inodeOf(change));
    else this.replace(node, rules.inodeOf(change), isDirectory);
    rules.taken(change, node, place);
  }

  /** Links what had to wait. @returns the first change that still has no target */
  finish(): C | undefined {
    const { tree, waiting } = this;
    this.isLate = true;
    const ready = this.takeWaiting();
    for (const link of ready) {
      tree.steps++;
      // Something else may have taken the name since, or its directory away.
      if (!tree.isLive(link.node) && tree.isListed(link.node)) this.link(link.node, link.change);
      if (!tree.isLive(link.node)) continue;
      // Looked at once more when its target has come: a chain takes no more than its length.
      for (const next of waiting.get(link.node) ?? []) ready.push(next);
      waiting.delete(link.node);
    }
    return this.takeWaiting()[0]?.change;
  }

  /** In the order of the archive. */
  private takeWaiting(): WaitingLink<C>[] {
    const all = [...this.waiting.values(), this.lost.splice(0)].flat();
    this.waiting.clear();
    return all.sort((a, b) => a.change.at - b.change.at);
  }

  private link(node: number, change: C): void {
    this.current = change;
    const { tree, rules, target: place } = this;
    // When the link was met, its target was not there: something else may have come in its way since.
    const isElsewhere = this.isLate && rules.isAlone;
    this.paths.resolve(change.link, place, false, this.fail, isElsewhere);
    const { directory } = place;
    const isName = directory !== NONE && place.nameLength > 0;
    const target = isName ? tree.node(directory, place.path, place.nameAt, place.nameLength) : directory;
    if (!tree.isLive(target) || (isElsewhere && tree.isDirectory(target))) {
      if (tree.isLive(node)) this.replace(node, NONE, false);
      this.wait({ node, change }, target);
    } else {
      rules.checkTarget(change, target);
      if (tree.isDirectory(target))
        this.fail(`hard link to "${showName(change.link)}", which is a directory`);
      if (target !== node) this.replace(node, tree.inode[target], false);
    }
  }

  /** @param target NONE when not even its directory is there: no other link can bring that, but a later entry */
  private wait(link: WaitingLink<C>, target: number): void {
    this.hasWaited = true;
    const others = this.waiting.get(target);
    if (target === NONE) this.lost.push(link);
    else if (others === undefined) this.waiting.set(target, [link]);
    else others.push(link);
  }

  private replace(node: number, inode: number, isDirectory: boolean): void {
    const { tree } = this;
    if (tree.isLive(node)) {
      tree.remove(node);
      this.paths.forget();
      this.hasReplaced ||= isDirectory;
    }
    if (inode !== NONE) tree.put(node, inode);
  }

  private readonly fail: Fail = (problem) => this.rules.fail(this.current as C, problem);
}
