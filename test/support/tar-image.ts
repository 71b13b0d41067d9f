import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { sh } from "./daemon.ts";
import { scratchDir } from "./image.ts";

/** An image that a test made, gone with the test file. */
export interface TarImage {
  /** The tree that was packed. */
  readonly source: string;
  readonly tar: string;
  readonly boot: string;
  /** What the command is told to serve it. */
  readonly flags: readonly string[];
}

/** GNU tar's words for an archive that depends on the tree alone. */
export const TAR =
  "tar --format=pax --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --xattrs --xattrs-include='*' --sort=name";

/**
 * Packs a tree with GNU tar and indexes it with mkfs.erofs; neither knows anything of the code under test.
 *
 * @param script makes the tree in its working directory
 */
export function tarImage(script: string): TarImage {
  requireMkfs();
  const dir = scratchDir();
  const source = join(dir, "source");
  const tar = join(dir, "image.tar");
  const boot = join(dir, "image.boot");
  mkdirSync(source);
  sh(`cd "$S"; ${script}`, { S: source });
  sh(
    `${TAR} -C "$S" -cf "$T" .
     mkfs.erofs --quiet --tar=i "$B" "$T"`,
    { S: source, T: tar, B: boot },
  );
  return { source, tar, boot, flags: ["--bootstrap", boot, "--blob", `1=${tar}`] };
}

/** @throws Error when it is not there: these tests are not to be skipped */
export function requireMkfs(): void {
  if (spawnSync("mkfs.erofs", ["-V"]).status !== 0)
    throw new Error("no mkfs.erofs on PATH: `npm test` installs it, or take erofs-utils 1.8 or newer");
}
