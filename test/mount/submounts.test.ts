import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { get, say, startManaged } from "../support/api.ts";
import { ask, emptyDir, hold, launch, run, shell, start, until, workDir } from "../support/daemon.ts";
import {
  change,
  isFreed,
  must,
  openFilesOf,
  orderOf,
  resourcesOf,
  startEmpty,
  type Versions,
  version,
  versions,
} from "../support/submounts.ts";

const BASE = `
  mkdir same changed gone; echo one >same/a; head -c 300000 /dev/urandom >same/big; ln same/a same/link
  echo old >changed/file; echo gone >gone/file; echo kept >changed/kept; ln -s old changed/link; mkdir dir; echo 1 >dir/sub`;
const ABOVE = `
  mkdir changed added; echo newer >changed/file; echo there >changed/more; ln -s new changed/link; echo 3 >added/x
  : >.wh.gone; mkdir -p dir/new/deep; echo 2 >dir/new/deep/file; chmod 700 dir`;

/** What is below a directory, contents and all. */
const listing = (path: string) =>
  ask(
    'cd "$1"; find . -printf "%p %y %m %s %l\\n" | sort; find . -type f | sort | xargs -r -d "\\n" sha256sum',
    path,
  );

/** The kernel's own EROFS does not take part here: each image is held against itself, mounted alone. */
async function alone(of: Versions, i = 0): Promise<string> {
  const daemon = await startEmpty();
  await must(daemon.sock, "POST /", version(of, i));
  const seen = await listing(daemon.mountpoint);
  await daemon.stop();
  return seen;
}

describe("images of one daemon", async () => {
  const image = await versions(BASE, ABOVE);
  const other = await versions("mkdir x; echo other >x/y; seq 100000 >x/z");

  it("come and go, each where it was asked for", async () => {
    const daemon = await startEmpty();
    const { sock, mountpoint } = daemon;
    expect(await shell('ls "$1/a"', mountpoint)).toMatchObject({ status: 2 });
    await must(sock, "POST /a/b", image);
    expect(await ask('\\ls -U "$1" "$1/a" | xargs', mountpoint)).toBe(
      `${mountpoint}: a ${mountpoint}/a: b\n`,
    );
    await must(sock, "POST /a/c", other);
    await must(sock, "POST /d", version(image, 1));
    expect(await ask('\\ls -U "$1" "$1/a" | xargs', mountpoint)).toBe(
      `${mountpoint}: a d ${mountpoint}/a: b c\n`,
    );
    expect(await listing(join(mountpoint, "a/b"))).toBe(await alone(image));
    expect(await listing(join(mountpoint, "a/c"))).toBe(await alone(other));
    expect(await listing(join(mountpoint, "d"))).toBe(await alone(image, 1));
    expect(await ask('cd "$1"; ls -a . a; cat a/../a/b/../c/x/y; stat -c "%F %a %h" . a', mountpoint)).toBe(
      ".:\n.\n..\na\nd\n\na:\n.\n..\nb\nc\nother\ndirectory 755 4\ndirectory 755 4\n",
    );
    const inodes = await ask('cd "$1"; find . -printf "%i %p\\n"', mountpoint);
    const numbers = inodes
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]);
    expect(numbers.length - new Set(numbers).size).toBe(2); // same/link, in two images
    await must(sock, "DELETE /a/b");
    expect(await ask('ls "$1" "$1/a"', mountpoint)).toBe(`${mountpoint}:\na\nd\n\n${mountpoint}/a:\nc\n`);
    expect(await shell('ls "$1/a/b"', mountpoint)).toMatchObject({ status: 2 });
    await must(sock, "DELETE /a/c");
    expect(await ask('ls "$1"', mountpoint)).toBe("d\n");
    await must(sock, "POST /a", other);
    expect(await ask('cat "$1/a/x/y"', mountpoint)).toBe("other\n");
    await must(sock, "DELETE /d");
    await isFreed(daemon, image);
    expect(await daemon.stop()).toBe(0);
  });

  it("at the root, after which nothing can be beside it", async () => {
    const daemon = await startEmpty();
    const { sock, mountpoint } = daemon;
    await shell('ls "$1/same" "$1/x"', mountpoint); // that they are not there is known now
    await must(sock, "POST /", image);
    expect(await listing(mountpoint)).toBe(await alone(image));
    expect((await change(sock, "POST /a", other)).text).toContain("/a: lies within the image");
    await must(sock, "PUT /", other);
    expect(await listing(mountpoint)).toBe(await alone(other));
    await must(sock, "DELETE /");
    expect(await ask('ls -A "$1"', mountpoint)).toBe("");
    await must(sock, "POST /a", image);
    expect((await change(sock, "POST /", other)).text).toContain("/: images are mounted below it");
    expect(await ask('ls "$1"', mountpoint)).toBe("a\n");
    expect(await daemon.stop()).toBe(0);
  });

  it("the first may be anywhere", async () => {
    const { mountpoint, sock, output } = await startManaged("12-merged", "--virtual-mountpoint", "/in/here");
    expect(output()).toContain(`mountpoint=${mountpoint}/in/here `);
    expect(await ask('cat "$1/in/here/etc/keep"', mountpoint)).toBe("keep l1");
    await must(sock, "POST /in/there", other);
    expect(await ask('ls "$1/in"', mountpoint)).toBe("here\nthere\n");
    const { backend_collection } = await get<{ backend_collection: object }>(sock, "/api/v1/daemon");
    expect(Object.keys(backend_collection)).toEqual(["/in/here", "/in/there"]);
  });

  it.each([
    ["POST /a", "object or filesystem already exists", 500],
    ["POST /a/b", "/a/b: lies within the image that is mounted above it", 500],
    ["POST /dir", "/dir: images are mounted below it", 500],
    ["POST a", "mountpoint a: want an absolute path without . and ..", 500],
    ["POST /x/../y", "mountpoint /x/../y: want an absolute path without . and ..", 500],
    [`POST /${"n".repeat(256)}`, "want an absolute path", 500],
    ["PUT /b", "object or filesystem doesn't exist", 500],
    ["PUT /dir", "object or filesystem doesn't exist", 500],
    ["DELETE /b", "object or filesystem doesn't exist", 500],
    ["DELETE /dir", "object or filesystem doesn't exist", 500],
  ])("%s is refused, and nothing changes", async (line, why, status) => {
    const daemon = await startEmpty();
    const { sock, mountpoint } = daemon;
    await must(sock, "POST /a", image);
    await must(sock, "POST /dir/c", other);
    const before = await listing(mountpoint);
    const { fds } = resourcesOf(daemon.pid);
    const said = await change(sock, line, line.startsWith("DELETE") ? undefined : other);
    expect([said.status, said.text]).toEqual([status, expect.stringContaining(why)]);
    expect(await listing(mountpoint)).toBe(before);
    // A connection to its API is closed a little after it is answered.
    await until(() => resourcesOf(daemon.pid).fds <= fds, `${fds} descriptors`);
  });

  it.each([
    ["no such image", orderOf("/none", "/"), "bootstrap /none: no such file", 500],
    ["no image", orderOf("/etc/passwd", "/"), "passwd", 500],
    ["no tars", orderOf(image.boots[0], "/etc"), "not found as /etc/", 500],
    [
      "another type",
      JSON.stringify({ fs_type: "passthrough_fs", source: "/", config: "" }),
      "only 'rafs'",
      500,
    ],
    ["no source", '{"fs_type":"rafs"}', "at source", 400],
    ["a configuration that is none", JSON.stringify({ source: "/x", config: "{" }), "config of /x", 500],
    ["no JSON", "{", "ParseBody", 400],
  ])("%s: refused, and nothing is left", async (_, body, why, status) => {
    const daemon = await startEmpty();
    const { fds } = resourcesOf(daemon.pid);
    const said = await change(daemon.sock, "POST /x", body);
    expect([said.status, said.text]).toEqual([status, expect.stringContaining(why)]);
    expect(await ask('ls -A "$1"', daemon.mountpoint)).toBe("");
    await until(() => resourcesOf(daemon.pid).fds <= fds, `${fds} descriptors`);
  });

  it("a remounted image: open files are read on, unchanged ones from the page cache", async () => {
    const daemon = await startEmpty();
    const { sock, mountpoint } = daemon;
    const at = join(mountpoint, "i");
    await must(sock, "POST /i", image);
    const state = 'stat -c "%n %i" same/big same/a changed dir .';
    const before = await ask(
      `cd "$1"; cat same/big >/dev/null; ls -R . >/dev/null; cat changed/more 2>/dev/null || :; ${state}`,
      at,
    );
    const holder = await hold(
      'cd "$1"; exec 7<changed/file; read -r line <same/a; exec 8<gone/file',
      "cat changed/file changed/more added/x; cat <&7; cat <&8; ls gone 2>/dev/null || echo none; readlink changed/link; stat -c %a dir; cat same/big | sha256sum",
      at,
    );
    const reads = () =>
      get<{ fop_hits: number[] }>(sock, "/api/v1/metrics?id=/i").then(({ fop_hits }) => fop_hits[4]);
    await must(sock, "PUT /i", version(image, 1));
    const read = await reads();
    expect(await ask(`cd "$1"; cat same/big >/dev/null; cat same/a; ${state}`, at)).toBe(`one\n${before}`);
    expect(await reads()).toBe(read);
    const sum = await ask('sha256sum <"$1/tree0/same/big"', image.dir);
    expect(await holder.release()).toBe(`newer\nthere\n3\nold\ngone\nnone\nnew\n700\n${sum}`);
    expect(await listing(at)).toBe(await alone(image, 1));
    await must(sock, "PUT /i", other);
    expect(await listing(at)).toBe(await alone(other));
    for (let i = 0; i < 20; i++) {
      await must(sock, "PUT /i", version(image, i % 2));
      expect(await ask('cat "$1/changed/file"; ls "$1"', at)).toBe(
        i % 2 === 0 ? "old\nchanged\ndir\ngone\nsame\n" : "newer\nadded\nchanged\ndir\nsame\n",
      );
    }
    await must(sock, "DELETE /i");
    await isFreed(daemon, image);
    await isFreed(daemon, other);
  });

  it("an unmounted image is served to processes inside, and freed when the last has left", async () => {
    const daemon = await startEmpty();
    const { sock, mountpoint } = daemon;
    await must(sock, "POST /i", image);
    const holder = await hold(
      'cd "$1/i/dir"; exec 7<../changed/file',
      "cat <&7; cat sub; ls ../same",
      mountpoint,
    );
    await must(sock, "DELETE /i");
    expect(await ask('ls -A "$1"', mountpoint)).toBe("");
    await must(sock, "POST /i", other);
    expect(openFilesOf(daemon.pid, image)).toContain(image.boots[0]);
    expect(await holder.release()).toBe("old\n1\na\nbig\nlink\n");
    await isFreed(daemon, image);
    expect(await ask('cat "$1/i/x/y"', mountpoint)).toBe("other\n");
  });

  it("that share tars open them once", async () => {
    const { sock, pid } = await startEmpty();
    await must(sock, "POST /0", image);
    for (let i = 1; i <= 20; i++) await must(sock, `POST /${i}`, image);
    expect(openFilesOf(pid, image).length).toBe(2);
  });

  it("have their numbers each", async () => {
    const { sock, mountpoint } = await startEmpty();
    await must(sock, "POST /a", image);
    await must(sock, "POST /b", other);
    await ask('cat "$1/a/changed/file"', mountpoint);
    const read = (id: string) => get<{ data_read: number; id: string }>(sock, `/api/v1/metrics?id=${id}`);
    expect(await read("/a")).toMatchObject({ data_read: 4, id: "/a" });
    expect(await read("/b")).toMatchObject({ data_read: 0, id: "/b" });
    expect((await say(sock, "GET /api/v1/metrics")).status).toBe(404);
    expect((await say(sock, "GET /api/v1/metrics?id=/c")).status).toBe(404);
    await must(sock, "DELETE /b");
    expect(await get(sock, "/api/v1/metrics")).toMatchObject({ id: "/a" });
  });
});

it("images with ACLs come only to a session that began ready for them", async () => {
  // The ACL as it is stored: version 2; owner rw, user 1000 r, group r, mask r, others none.
  const entry = (tag: string, perm: string, id = "ffffffff") => `${tag}00${perm}00${id}`;
  const acl = `02000000${entry("01", "06")}${entry("02", "04", "e8030000")}${entry("04", "04")}${entry("10", "04")}${entry("20", "00")}`;
  const image = await versions(`echo 1 >f; setfattr -n system.posix_acl_access -v 0x${acl} f`);
  const fixed = await startManaged("04-large");
  const said = await change(fixed.sock, "PUT /", image);
  expect([said.status, said.text]).toEqual([500, expect.stringContaining("ACLs")]);
  const { sock, mountpoint } = await startEmpty();
  await must(sock, "POST /", image);
  await ask('chmod 755 "$(dirname "$1")"', mountpoint);
  expect(await ask('setpriv --reuid 1000 --regid 1000 --clear-groups cat "$1/f"', mountpoint)).toBe("1\n");
  expect(
    await shell('setpriv --reuid 1001 --regid 1001 --clear-groups cat "$1/f"', mountpoint),
  ).toMatchObject({
    status: 1,
  });
});

it("with few open files allowed, images are mounted and read, and the daemon stops", async () => {
  const image = await versions("seq 1000 >f");
  const { sock, mountpoint, pid, stop } = await startEmpty("--rlimit-nofile", "200");
  const copies = Array.from({ length: 120 }, (_, i) => join(image.dir, `copy${i}.boot`));
  for (const [i, boot] of copies.entries()) {
    copyFileSync(image.boots[0], boot);
    await must(sock, `POST /${i}`, orderOf(boot, image.dir));
  }
  const sum = (await ask("for i in $(seq 120); do seq 1000; done | sha256sum")).trim();
  expect(await ask('cat "$1"/*/f | sha256sum', mountpoint)).toBe(`${sum}\n`);
  expect(resourcesOf(pid).fds).toBeLessThan(190);
  expect(await stop()).toBe(0);
});

it("after many remounts paths stay, and unused images are released, at the root, too", async () => {
  const image = await versions("mkdir -p d/e; echo 1 >d/e/f", "mkdir -p d; echo 2 >d/g");
  const daemon = await startEmpty();
  const { sock, mountpoint } = daemon;
  for (const name of ["a", "b", "c"]) await must(sock, `POST /${name}`, image);
  for (let i = 0; i < 20; i++) {
    await must(sock, "PUT /b", version(image, i % 2));
    expect(await ask('cd "$1"; echo *; echo b/d/*', mountpoint)).toBe(
      i % 2 === 0 ? "a b c\nb/d/e\n" : "a b c\nb/d/e b/d/g\n",
    );
  }
  for (const name of ["a", "b", "c"]) await must(sock, `DELETE /${name}`);
  await isFreed(daemon, image);
  await must(sock, "POST /", image);
  const holder = await hold('cd "$1/d"', "stat e/f >/dev/null; cat e/f", mountpoint);
  await must(sock, "DELETE /");
  expect(await holder.release()).toBe("1\n");
  await isFreed(daemon, image);
});

it("a listing that is open when its image is replaced misses nothing that both have, and lists nothing twice", async () => {
  const image = await versions(
    "mkdir d; cd d; for i in $(seq 1000 3000); do : >f$i; done",
    "mkdir d; cd d; for i in $(seq 1000 1300); do : >.wh.f$i; done",
  );
  const { sock, mountpoint } = await startEmpty();
  const READER = `
import os, sys
names = []
with os.scandir(sys.argv[1]) as entries:
    for entry in entries:
        names.append(entry.name)
        if len(names) == 700:
            print("half", flush=True)
            sys.stdin.readline()
names.sort()
print(len(names), len(set(names)), sum(1 for n in names if int(n[1:]) > 1300), flush=True)`;
  for (const [from, to] of [
    [0, 1],
    [1, 0],
    [0, 0],
  ] as const) {
    await must(sock, "POST /i", version(image, from));
    const child = launch("python3", ["-c", READER, join(mountpoint, "i/d")]);
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk;
    });
    await until(() => text === "half\n", "the first names");
    await must(sock, "PUT /i", version(image, to));
    child.stdin.end("go\n");
    await until(() => /\n.*\n/.test(text), "the other names");
    const [all, different, kept] = text.split("\n")[1].split(" ").map(Number);
    expect({ isOnce: all === different, kept }).toEqual({ isOnce: true, kept: 1700 });
    await must(sock, "DELETE /i");
  }
});

it("a remount ends the warming of what it replaces", async () => {
  const big = await versions("head -c 60000000 /dev/urandom >f");
  const { sock } = await startEmpty();
  const config = {
    version: 2,
    id: "big one",
    backend: { type: "localfs", localfs: { dir: big.dir } },
    rafs: { prefetch: { enable: true, bandwidth_limit: 1 << 20 } },
  };
  const order = JSON.stringify({ source: big.boots[0], config: JSON.stringify(config) });
  await must(sock, "POST /i", order);
  const amount = () =>
    get<{ prefetch_data_amount: number; prefetch_workers: number }>(
      sock,
      "/api/v1/metrics/blobcache?id=big%20one",
    );
  expect(await amount()).toMatchObject({ prefetch_workers: 1 });
  await must(sock, "PUT /i", await versions("echo 1 >f"));
  const { text } = await say(sock, "GET /api/v1/metrics/blobcache?id=/i");
  expect(JSON.parse(text)).toMatchObject({ prefetch_workers: 0, prefetch_data_amount: 0 });
});

it("images below an overlay cannot be replaced", async () => {
  const image = await versions("echo 1 >f");
  const sock = join(workDir(), "api.sock");
  const upper = join(workDir(), "upper");
  mkdirSync(upper);
  const mountpoint = emptyDir();
  const daemon = await start(["--rw", upper, "--apisock", sock, "--driver", "fuse"], mountpoint, [
    "mount",
    image.boots[0],
  ]);
  for (const line of ["DELETE /", "PUT /"])
    expect((await change(sock, line, line.startsWith("PUT") ? image : undefined)).status).toBe(501);
  expect(await daemon.stop()).toBe(0);
});

it("fuse-native has one image, which stays", async () => {
  const { sock } = await startManaged("04-large", "--transport", "fuse-native");
  const said = await change(sock, "DELETE /");
  expect([said.status, said.text]).toEqual([501, expect.stringContaining("Unsupported")]);
});

it("without an image and without an API there is nothing to serve", () => {
  expect(run(["--mountpoint", "/none"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--apisock"),
  });
});
