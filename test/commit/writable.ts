import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ask, emptyDir, run, sh, workDir } from "../support/daemon.ts";

export interface Writable {
  readonly dir: string;
  readonly mountpoint: string;
  /** The tar of its lower layer. */
  readonly base: string;
  /** Where overlayfs keeps what was changed. */
  readonly upper: string;
  unmount(): void;
  /** Mounts layers once more, read-only. @returns where */
  show(layers: readonly string[]): string;
}

interface Wanted {
  readonly driver?: string;
  /** Options of overlayfs that the kernel may have by itself elsewhere. */
  readonly mode?: string;
  /** Made in the upper directory, `$U`, before it is mounted. */
  readonly changes?: string;
  readonly rw?: string;
}

/** @param script makes the lower layer, in a directory of its own */
export async function mountWritable(
  script: string,
  { driver = "auto", mode = "", changes = "", rw }: Wanted = {},
): Promise<Writable> {
  const dir = workDir();
  const base = join(dir, "base.tar");
  sh('mkdir "$D/tree"; cd "$D/tree"; eval "$S"; tar --xattrs --xattrs-include="*" -cf "$B" .', {
    D: dir,
    S: script,
    B: base,
  });
  const [cache, mountpoint, upper] = [join(dir, "cache"), emptyDir(), rw ?? join(dir, "changes")];
  if (changes !== "")
    sh('mkdir -p "$U"; chmod 700 "$U/.."; eval "$C"', { U: join(upper, "upper"), C: changes });
  const show = (words: readonly string[], at: string) => {
    const { status, stderr } = run(["mount", "--driver", driver, "--cache-dir", cache, ...words, at]);
    if (status !== 0) throw new Error(stderr);
  };
  if (mode === "") show([base, "--rw", upper], mountpoint);
  else {
    // No option of ours: the kernel's own defaults decide, which other machines have otherwise.
    show([base], mountpoint);
    await ask(
      'mkdir -p "$2/upper" "$2/work"; mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work,$3" "$1"',
      ...[mountpoint, upper, mode],
    );
  }
  return {
    ...{ dir, mountpoint, base, upper: join(upper, "upper") },
    unmount: () => void run(["umount", mountpoint]),
    show: (layers) => {
      const at = join(dir, "again");
      mkdirSync(at);
      show(layers, at);
      return at;
    },
  };
}
