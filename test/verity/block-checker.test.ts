import { describe, expect, it } from "vitest";
import { BlockChecker, newVerityTree } from "../../src/verity/block-checker.ts";
import { checkHashTree } from "../../src/verity/check-tree.ts";
import { HASH_BLOCK } from "../../src/verity/hash-tree.ts";
import { generator } from "../support/image.ts";
import { noise, treeOf } from "./tree-of.ts";

/** All blocks that a checker finds wrong, asked for in an order of its own, some twice. */
function wrongBlocks({ parameters, tree, root }: ReturnType<typeof treeOf>, data: Uint8Array, seed: number) {
  const { dataBlock, dataBlocks } = parameters;
  const random = generator(seed);
  const shared = newVerityTree(parameters, root, 0);
  const checker = () =>
    new BlockChecker(shared, (at, into, to, length) => into.set(tree.subarray(at, at + length), to));
  const threads = [checker(), checker()];
  const wrong = new Map<number, string>();
  /** Of which threads do not say the same, or not the same each time. */
  const odd: number[] = [];
  const order = Array.from({ length: dataBlocks + 20 }, (_, i) => (i < dataBlocks ? i : random(dataBlocks)));
  for (let i = order.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  for (const block of order) {
    const one = threads[random(2)] ?? checker();
    const isKnown = one.isKnown(block);
    const isRight = one.isRight(block, data.subarray(block * dataBlock, (block + 1) * dataBlock));
    const isOdd = (isKnown && !isRight) || threads.some((each) => each.isKnown(block) !== isRight);
    if (isOdd) odd.push(block);
    if (isRight) continue;
    if (one.isNews(block) === wrong.has(block)) odd.push(block);
    wrong.set(block, one.problem(block));
  }
  expect(odd).toEqual([]);
  return wrong;
}

/** What the whole tree says: numbers of data blocks, and of hash blocks, as -1 - N. */
function saidByAll({ parameters, tree, root }: ReturnType<typeof treeOf>, data: Uint8Array): Set<number> {
  const all = checkHashTree(parameters, root, {
    data: (at, into) => into.set(data.subarray(at, at + into.length)),
    tree: (at, into) => into.set(tree.subarray(at, at + into.length)),
  });
  return new Set([...all].map((one) => (one.what === "data" ? one.block : -1 - one.at / HASH_BLOCK)));
}

/** The same of what is said of one block. */
function saidOf(block: number, problem: string): number {
  const [, hash] = /^hash block (\d+) is corrupted, which data block \d+ is held to$/.exec(problem) ?? [];
  if (hash === undefined) expect(problem).toBe(`data block ${block} is corrupted`);
  return hash === undefined ? block : -1 - Number(hash);
}

/** Changes bytes, half of them in the tree. */
function damage(data: Uint8Array, tree: Uint8Array, count: number, random: (below: number) => number): void {
  for (let i = 0; i < count; i++) {
    const where = tree.length > 0 && random(2) === 0 ? tree : data;
    const at = random(where.length);
    where[at] = (where[at] ?? 0) ^ 1;
  }
}

describe("blocks that are held to a tree one by one", () => {
  it.each<[blocks: number, dataBlock: number, salt: string]>([
    [1, 512, ""],
    [2, 512, "aa"],
    [128, 512, ""],
    [129, 4096, "00ff"],
    [16_500, 512, ""],
  ])("are wrong where the whole tree says so: %i of %i, salt %j", (blocks, dataBlock, salt) => {
    const before = noise(blocks * dataBlock);
    const right = treeOf(before, dataBlock, Buffer.from(salt, "hex"));
    for (let seed = 1; seed <= 6; seed++) {
      const data = before.slice();
      const made = { ...right, tree: right.tree.slice() };
      damage(data, made.tree, seed - 1, generator(seed));
      const want = saidByAll(made, data);
      const found = wrongBlocks(made, data, seed);
      const said = new Set([...found].map(([block, problem]) => saidOf(block, problem)));
      expect([...said].filter((one) => !want.has(one))).toEqual([]);
      expect([...want].filter((one) => one >= 0 && !found.has(one))).toEqual([]);
      if (seed === 1) expect(found.size).toBe(0);
    }
  });

  it("are wrong behind the end of the tree", () => {
    const made = treeOf(noise(1024), 512, new Uint8Array(0));
    const checker = new BlockChecker(newVerityTree(made.parameters, made.root, 0), (at, into, to, length) =>
      into.set(made.tree.subarray(at, at + length), to),
    );
    for (const block of [2, 31, 32, 2 ** 40]) {
      expect([checker.isKnown(block), checker.isRight(block, new Uint8Array(512))]).toEqual([false, false]);
    }
  });
});
