import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { emptyDir, isMounted, run, sh, start, workDir } from "../support/daemon.ts";
import { LAYERS, ociDir, sha256 } from "./images.ts";

/** An OCI image layout that somebody else made, and the file of its lowest layer. */
function layout() {
  const dir = join(workDir(), "layout");
  mkdirSync(dir);
  ociDir(dir, LAYERS, "app:1");
  return { dir, blob: join(dir, "blobs/sha256", sha256(readFileSync(LAYERS[0]))) };
}

const args = (dir: string, mountpoint: string, more: readonly string[]) => [
  ...["mount", "--driver", "fuse", "--cache-dir", join(dir, "../cache"), dir, mountpoint, ...more],
];

/** What is said of a layout, `LAYOUT` standing for its directory. */
function refused(dir: string, ...more: string[]): string {
  const mountpoint = emptyDir();
  const { status, stderr } = run(args(dir, mountpoint, more));
  expect([status, isMounted(mountpoint)]).toEqual([1, false]);
  return stderr
    .replaceAll(dir, "LAYOUT")
    .replaceAll(/[0-9a-f]{64}/g, "ID")
    .trim();
}

const put = (path: string, to: string) => {
  rmSync(path);
  symlinkSync(to, path);
};
const LEADS_OUT = "a link leads out of LAYOUT; name the directory that it leads to with --blob-dir, too";

describe("of an OCI image layout that is a stranger's", () => {
  it.each<[what: string, spoil: (made: ReturnType<typeof layout>) => void, said: string]>([
    [
      "a layer is a link to what only root may read",
      ({ blob }) => put(blob, "/etc/shadow"),
      `Error: LAYOUT/blobs/sha256/ID: ${LEADS_OUT}`,
    ],
    [
      "a layer is a link to the very tar elsewhere",
      ({ blob }) => put(blob, LAYERS[0]),
      `Error: LAYOUT/blobs/sha256/ID: ${LEADS_OUT}`,
    ],
    [
      "a layer is a link to /dev/zero",
      ({ blob }) => put(blob, "/dev/zero"),
      `Error: LAYOUT/blobs/sha256/ID: ${LEADS_OUT}`,
    ],
    [
      "a layer is a fifo",
      ({ blob }) => sh('rm "$F"; mkfifo "$F"', { F: blob }),
      "Error: LAYOUT/blobs/sha256/ID: not a regular file",
    ],
    [
      "a layer is a device",
      ({ blob }) => sh('rm "$F"; mknod "$F" c 1 5', { F: blob }),
      "Error: LAYOUT/blobs/sha256/ID: not a regular file",
    ],
    [
      "all blobs lie behind a link",
      ({ dir }) => {
        renameSync(join(dir, "blobs"), join(dir, "../blobs"));
        symlinkSync("../blobs", join(dir, "blobs"));
      },
      `Error: LAYOUT/blobs/sha256/ID: ${LEADS_OUT}`,
    ],
    [
      "the index is a link",
      ({ dir }) => put(join(dir, "index.json"), "/etc/passwd"),
      `Error: LAYOUT/index.json: ${LEADS_OUT}`,
    ],
    [
      "the index is a fifo",
      ({ dir }) => sh('rm "$F"; mkfifo "$F"', { F: join(dir, "index.json") }),
      "Error: LAYOUT/index.json: not a regular file",
    ],
    [
      "the names in Docker's manifest lead out",
      ({ dir }) => {
        rmSync(join(dir, "index.json"));
        const image = { Config: "../../../../../../etc/passwd", Layers: ["../../etc/shadow"] };
        writeFileSync(join(dir, "manifest.json"), JSON.stringify([image]));
      },
      `Error: /etc/passwd: ${LEADS_OUT}`,
    ],
  ])("%s: refused", (_, spoil, said) => {
    const made = layout();
    spoil(made);
    expect(refused(made.dir)).toBe(said);
  });

  it("links that stay in it are followed, and those into a directory that was named", async () => {
    const { dir, blob } = layout();
    renameSync(blob, join(dir, "layer0"));
    symlinkSync("../../layer0", blob);
    const second = join(dir, "blobs/sha256", sha256(readFileSync(LAYERS[1])));
    const elsewhere = workDir();
    copyFileSync(LAYERS[1], join(elsewhere, "l2.tar"));
    put(second, join(elsewhere, "l2.tar"));
    expect(refused(dir)).toBe(`Error: LAYOUT/blobs/sha256/ID: ${LEADS_OUT}`);
    const daemon = await start(["--blob-dir", elsewhere], emptyDir(), args(dir, "", []).slice(0, -1));
    expect(readFileSync(join(daemon.mountpoint, "etc/keep")).length).toBeGreaterThan(0);
    expect(await daemon.stop()).toBe(0);
  });
});

it("a cache that others may write to is neither used nor cleared", () => {
  const dir = workDir();
  const victim = join(dir, "victim");
  mkdirSync(victim);
  writeFileSync(join(victim, "file"), "");
  const cases: [name: string, make: string, said: string][] = [
    ["theirs", 'mkdir "$C"; chown 65534 "$C"', "belongs to user 65534"],
    ["a-group's", 'mkdir "$C"; chgrp 65534 "$C"; chmod 770 "$C"', "group 65534, or an ACL, may write to it"],
    ["everybody's", 'mkdir "$C"; chmod 1777 "$C"', "every user may write to it"],
    ["a-link-within", 'mkdir "$C"; ln -s "$V" "$C/blobs"', "not a directory"],
  ];
  for (const [name, make, said] of cases) {
    const cache = join(dir, name);
    sh(make, { C: cache, V: victim });
    const where = name === "a-link-within" ? join(cache, "blobs") : cache;
    const error = `Error: cache ${where}: ${said}; name another with --cache-dir\n`;
    const mount = run(["mount", LAYERS[0], emptyDir(), "--cache-dir", cache]);
    expect([mount.status, mount.stderr]).toEqual([1, error]);
    expect(run(["cache", "gc", "--older-than", "0s", "--cache-dir", cache])).toEqual({
      status: 1,
      stdout: "",
      stderr: error,
    });
  }
  expect(existsSync(join(victim, "file"))).toBe(true);
});
