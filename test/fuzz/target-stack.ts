import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { createImage } from "../../src/mkfs/create.ts";
import { mergeImages } from "../../src/mkfs/merge.ts";
import { MergeError } from "../../src/mkfs/merge-error.ts";
import { WHITEOUT_SPECS } from "../../src/mkfs/whiteout.ts";
import { tarOf } from "../mkfs/emit.ts";
import { concat, getNumber, putNumber } from "./mutate.ts";
import { mutateTar } from "./mutate-tar.ts";
import { type Shown, scrutinize } from "./scrutiny.ts";
import { requestOf } from "./seed-image.ts";
import { type MakeTarget, must, refusal, type Verdict } from "./target.ts";
import { TARS } from "./tars.ts";

const HEAD = 4;
/** Two layers: the length of the lower one, then both. */
const stackOf = (lower: Uint8Array, upper: Uint8Array): Uint8Array => {
  const head = new Uint8Array(HEAD);
  putNumber(head, 0, HEAD, lower.length);
  return concat(head, lower, upper);
};
const layersOf = (input: Uint8Array): [Uint8Array, Uint8Array] => {
  const end = HEAD + Math.min(getNumber(input, 0, HEAD), Math.max(0, input.length - HEAD));
  return [input.slice(HEAD, end), input.slice(end)];
};

const WHITEOUTS = tarOf([
  { name: ".wh.late" },
  { name: "d/.wh.file" },
  { name: "b/.wh..wh..opq" },
  { name: "b/new", data: "new" },
  { name: "a", type: "3", device: [0, 0] },
  { name: "opaque/", type: "5", pax: { "SCHILY.xattr.trusted.overlay.opaque": "y" } },
  { name: "symlink/", type: "5" },
  { name: "d", data: "was a directory" },
]);

/** Layers over one another, by all rules for what a layer takes away. */
export const stackTarget: MakeTarget = (dir) => {
  const paths = ["0", "1"].map((name) => ({
    tar: join(dir, `${name}.tar`),
    boot: join(dir, `${name}.boot`),
  }));
  const merged = join(dir, "merged.boot");
  const files = new Map(["a", "b"].map((id, i) => [id.repeat(64), paths[i].tar]));
  /** Sides, too, lie in the directory; what an image does not have must not be named. */
  const look = (bootstrap: string): Map<string, Shown> => {
    for (const named of [[...files], [...files].slice(0, 1), [...files].slice(1), []])
      try {
        return scrutinize(openImage(bootstrap, { dirs: [dir], files: new Map(named) }), false);
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
      }
    throw new Error(`no blobs fit ${bootstrap}`);
  };

  const run = async (input: Uint8Array): Promise<Verdict> => {
    try {
      for (const [i, layer] of layersOf(input).entries()) {
        writeFileSync(paths[i].tar, layer);
        await createImage(requestOf(paths[i].tar, paths[i].boot, [...files.keys()][i], dir));
      }
      const [lower, upper] = paths.map(({ boot }) => look(boot));
      for (const whiteouts of WHITEOUT_SPECS) {
        mergeImages({
          layers: paths.map(({ boot }) => boot),
          bootstrap: merged,
          blobDir: undefined,
          prefetch: [],
          warn: () => {},
          whiteouts,
        });
        compare(look(merged), lower, upper, whiteouts);
      }
      return "accepted";
    } catch (error) {
      return refusal(error, FormatError, OperationalError, MergeError);
    } finally {
      for (const name of readdirSync(dir)) rmSync(join(dir, name));
    }
  };
  const seeds = [
    stackOf(TARS[0], TARS[1]),
    stackOf(TARS[0], WHITEOUTS),
    stackOf(TARS[1], WHITEOUTS),
    stackOf(WHITEOUTS, TARS[2]),
  ];
  return {
    ...{ seeds, longest: 128 << 10, memory: 512, run },
    mutate: (input, other, random) => {
      const [lower, upper] = layersOf(input);
      const [, another] = layersOf(other);
      return random.once(3)
        ? stackOf(mutateTar(lower, another, random), upper)
        : stackOf(lower, mutateTar(upper, another, random));
    },
  };
};

const MARKER = /\/\.wh\.[^/]+$/;
const isDirectory = ({ mode }: Shown): boolean => (mode & 0xf000) === 0x4000;

function compare(
  all: Map<string, Shown>,
  lower: Map<string, Shown>,
  upper: Map<string, Shown>,
  rules: string,
): void {
  const hasLinks = [...lower.values(), ...upper.values()].some(({ mode }) => (mode & 0xf000) === 0xa000);
  for (const [path, shown] of all) {
    // A directory is made for what lies below it, whatever its name: containerd does so, too.
    if (rules === "oci")
      must(!MARKER.test(path) || isDirectory(shown), () => `${path} is left of a whiteout`);
    must(hasLinks || lower.has(path) || upper.has(path), () => `${path} is in neither layer`);
  }
  for (const [path, shown] of upper) {
    const { mode, size, content } = shown;
    const isGone = rules === "oci" ? MARKER.test(path) : rules === "overlayfs" && (mode & 0xf000) === 0x2000;
    if (isGone || hasLinks || isDirectory(shown)) continue;
    const found = all.get(path);
    must(found !== undefined, () => `${path} of the upper layer is missing (${rules})`);
    must(
      found.mode === mode && found.size === size && found.content === content,
      () => `${path} is not the upper layer's (${rules})`,
    );
  }
}
