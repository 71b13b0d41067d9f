import type { Random } from "../fuzz/random.ts";
import type { Made } from "../mkfs/emit.ts";

const NAMES = ["a", "b", "n\n\\x0a", "\u001b[31m"];
const DEEP = 3;

/** Entries of a tree, of few names, kinds and values, so that two of them have much in common. */
export function randomTree(random: Random): Made[] {
  const files: string[] = [];
  const below = (above: string, depth: number): Made[] =>
    NAMES.flatMap((name): Made[] => {
      const path = above + name;
      const more = { uid: random.below(2), gid: 0, mtime: 1_600_000_000 + random.below(2) };
      const kind = random.below(10);
      if (kind < 3 && depth < DEEP)
        return [
          { name: `${path}/`, type: "5", mode: random.pick([0o755, 0o700]), ...more },
          ...below(`${path}/`, depth + 1),
        ];
      if (kind < 6) {
        files.push(path);
        const [data, mode] = [random.pick(["one", "two", "longer", ""]), random.pick([0o644, 0o600])];
        return [{ name: path, data, mode, ...more }];
      }
      if (kind < 7 && files.length > 0) return [{ name: path, type: "1", link: random.pick(files) }];
      if (kind < 8) return [{ name: path, type: "2", link: random.pick(["/x", "/y"]), mode: 0o777, ...more }];
      return kind < 9 ? [{ name: path, type: "6", ...more }] : [];
    });
  return below("", 1);
}
