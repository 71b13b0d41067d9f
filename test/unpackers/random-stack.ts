import type { Random } from "../fuzz/random.ts";
import type { Made } from "../mkfs/emit.ts";

const NAMES = ["a", "b", "c", "l", "m"];
const TARGETS = [
  ".",
  "..",
  "a",
  "b",
  "l",
  "m",
  "/",
  "/a",
  "../b",
  "a/b",
  "b/../a",
  "l/a",
  "./m",
  "nowhere",
  "/c/",
];

/**
 * Stacks of layers in which names meet: few names, all types, paths through symlinks, in every spelling, named again, before
 * their parents, whiteouts of any type wherever they stand, hard links to layers below.
 */
export class RandomStack {
  /** What was made so far, as far as spelling tells: entries that nobody unpacks say little. */
  private readonly directories = new Set<string>();
  private readonly files = new Set<string>();
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  layers(): Made[][] {
    const count = 1 + this.random.below(4);
    return Array.from({ length: count }, (_, i) => this.layer(`${i}`));
  }

  private layer(named: string): Made[] {
    const { random } = this;
    const count = 1 + random.below(9);
    const entries = Array.from({ length: count }, (_, i) => this.entry(`${named}.${i}`));
    // As tar writes them: parents before what is in them.
    if (random.once(4)) entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    return entries;
  }

  private entry(data: string): Made {
    const { random } = this;
    const path = this.path();
    const name = this.spelled(path);
    const more = { uid: random.below(3), gid: random.below(3), mtime: 1_600_000_000 + random.below(1000) };
    const kind = random.below(20);
    if (kind < 6) {
      this.now(path, this.files);
      return { name, data, mode: random.pick([0o644, 0o600, 0o4755]), ...more };
    }
    if (kind < 11) {
      if (!this.directories.has(path)) this.now(path, this.directories);
      return { name: `${name}/`, type: "5", mode: random.pick([0o755, 0o700, 0o1777]), ...more };
    }
    if (kind < 13) {
      this.now(path, this.directories);
      return { name, type: "2", link: this.target(path), mode: 0o777, ...more };
    }
    if (kind < 15 && this.files.size > 0) {
      const link = random.once(20) ? this.path() : random.pick([...this.files]);
      if (link !== path) this.now(path, this.files);
      return { name, type: "1", link: this.spelled(link === path ? [...this.files][0] : link) };
    }
    if (kind < 16) {
      this.now(path, this.files);
      return { name, type: "6", ...more };
    }
    const at = name.lastIndexOf("/") + 1;
    if (kind < 18) {
      this.now(path, undefined);
      return this.marker(`${name.slice(0, at)}.wh.${name.slice(at)}`);
    }
    return this.opaque(random.pick(["", ...this.directories]));
  }

  private opaque(directory: string): Made {
    for (const all of [this.files, this.directories])
      for (const each of all) if (each.startsWith(`${directory}/`)) all.delete(each);
    return this.marker(`${directory}${directory === "" ? "" : "/"}.wh..wh..opq`);
  }

  /** As far as spelling tells, this is what a name is now. */
  private now(path: string, kind: Set<string> | undefined): void {
    for (const all of [this.files, this.directories])
      for (const each of all) if (each === path || each.startsWith(`${path}/`)) all.delete(each);
    kind?.add(path);
  }

  private target(of: string): string {
    const { random } = this;
    const others = [...this.directories].filter((each) => each !== of);
    if (others.length === 0 || random.once(3)) return random.pick(TARGETS);
    return random.pick(["/", "../".repeat(of.split("/").length - 1)]) + random.pick(others);
  }

  /** A whiteout is one by its name. */
  private marker(name: string): Made {
    const { random } = this;
    if (!random.once(4)) return { name, data: "" };
    return random.pick<Made>([
      { name, type: "1", link: "nowhere" },
      { name, type: "2", link: "a" },
      { name: `${name}/`, type: "5" },
      { name, type: "6" },
    ]);
  }

  private path(): string {
    const { random } = this;
    const name = random.pick(NAMES);
    if (random.once(2) || this.directories.size === 0)
      return random.once(15) ? `${random.pick(NAMES)}/${name}` : name;
    return `${random.pick([...this.directories])}/${name}`;
  }

  /** Another way to say the same path, now and then. */
  private spelled(path: string): string {
    const { random } = this;
    if (!random.once(5)) return path;
    return random.pick([
      ...[`./${path}`, `/${path}`, path.replace("/", "//"), `././/${path}`],
      ...[`a/../${path}`, `../${path}`, path.replace("/", "/./"), path.replace("/", "/c/../")],
    ]);
  }
}
