import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadSystemCalls } from "../../src/syscalls/system-call.ts";
import { HASH_BLOCK, levelsOf } from "../../src/verity/hash-tree.ts";
import { checkHashTree } from "../../src/verity/check-tree.ts";
import { scratchDir } from "../support/image.ts";
import { noise, treeOf } from "./tree-of.ts";

const check = ({ parameters, tree, root }: ReturnType<typeof treeOf>, data: Uint8Array) => [
  ...checkHashTree(parameters, root, {
    data: (at, into) => into.set(data.subarray(at, at + into.length)),
    tree: (at, into) => into.set(tree.subarray(at, at + into.length)),
  }),
];

describe.each([
  ["Node", async () => {}],
  ["libcrypto", loadSystemCalls],
])("a hash tree, hashed by %s,", (_, load) => {
  beforeAll(load);
  const dir = scratchDir();
  /** What cryptsetup makes of the same data. */
  function genuine(data: Uint8Array, dataBlock: number, salt: string): { root: string; tree: Uint8Array } {
    const [disk, hashes] = ["disk", "hashes"].map((name) => join(dir, name));
    writeFileSync(disk, data);
    writeFileSync(hashes, "");
    const made = spawnSync(
      "veritysetup",
      ["format", "--no-superblock", "--format=1", "-s", salt || "-", "--hash=sha256"]
        .concat([`--data-block-size=${dataBlock}`, "--hash-block-size=4096"])
        .concat(["--data-blocks", `${data.length / dataBlock}`, disk, hashes]),
      { encoding: "utf8" },
    );
    expect(made.stderr).toBe("");
    return { root: /Root hash:\s+(\w+)/.exec(made.stdout)?.[1] ?? "", tree: readFileSync(hashes) };
  }

  it.each<[blocks: number, dataBlock: number, salt: string]>([
    [2, 512, ""],
    [127, 512, ""],
    [128, 512, "00ff"],
    [200, 512, "00ff55aa"],
    [129, 512, ""],
    [128 * 128, 512, ""],
    [128 * 128 + 1, 512, "abcdef0123456789"],
    [300, 4096, ""],
  ])("over %i blocks of %i bytes, salt %j, is what veritysetup makes", (blocks, dataBlock, salt) => {
    const data = noise(blocks * dataBlock);
    const made = treeOf(data, dataBlock, Buffer.from(salt, "hex"));
    const wanted = genuine(data, dataBlock, salt);
    expect(Buffer.from(made.root).toString("hex")).toBe(wanted.root);
    expect(Buffer.compare(made.tree, wanted.tree)).toBe(0);
    expect(check(made, data)).toEqual([]);
  });

  it("over one block is none: its digest is the root", () => {
    const made = treeOf(noise(512), 512, new Uint8Array(0));
    expect(made.tree).toHaveLength(0);
    expect(check(made, noise(512))).toEqual([]);
    expect(check(made, noise(512).fill(1, 9, 10))).toEqual([{ what: "data", block: 0 }]);
  });

  it("finds each block that is wrong, and says nothing of what is below a wrong one", () => {
    const data = noise(512 * (128 * 128 + 200));
    const made = treeOf(data, 512, new Uint8Array(0));
    const at = (block: number) => {
      const copy = data.slice();
      copy[block * 512 + 3] ^= 1;
      return copy;
    };
    for (const block of [0, 127, 128, 128 * 128, 128 * 128 + 199])
      expect(check(made, at(block))).toEqual([{ what: "data", block }]);
    const levels = levelsOf(made.parameters.dataBlocks);
    for (const { at: first } of levels) {
      const tree = made.tree.slice();
      tree[first * HASH_BLOCK] ^= 1;
      expect(check({ ...made, tree }, data)).toEqual([{ what: "tree", at: first * HASH_BLOCK }]);
    }
    // Where no digest belongs the kernel does not look, and veritysetup does.
    const spare = made.tree.slice();
    spare[HASH_BLOCK - 1] ^= 1;
    expect(check({ ...made, tree: spare }, data)).toEqual([{ what: "tree", at: 0 }]);
  });
});
