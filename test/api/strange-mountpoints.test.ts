import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { say } from "../support/api.ts";
import { workDir } from "../support/daemon.ts";
import { must, orderOf, startEmpty, versions } from "../support/submounts.ts";

/** Where somebody asks for an image to be mounted, as it stands in the request. It is a place in the mount, not in the host. */
const rows: [mountpoint: string, status: number, shown: readonly string[]][] = [
  ["..", 500, []],
  ["/..", 500, []],
  ["/../../HOST", 500, []],
  ["/a/../../HOST", 500, []],
  ["%2e%2e", 500, []],
  ["/%2e%2e/%2e%2e/HOST", 500, []],
  ["%2F..%2F..%2FHOST", 500, []],
  ["/.", 500, []],
  ["relative", 500, []],
  ["./x", 500, []],
  ["", 500, []],
  ["/nul%00/x", 500, []],
  ["%00", 500, []],
  [`/${"x".repeat(256)}`, 500, []],
  [`/${"x".repeat(5000)}`, 500, []],
  [`/${"x/".repeat(2048)}`, 500, []],
  [`/${"x/".repeat(9000)}`, 400, []],
  // Names like others, whatever they may mean elsewhere.
  ["/%2e%2e%2e", 204, ["..."]],
  ["/x".repeat(2047), 204, ["x"]],
  ["/%ff", 204, ["\ufffd"]],
  ["/%252e%252e", 204, ["%2e%2e"]],
  ["/new%0aline", 204, ["new\nline"]],
  ["//twice//", 204, ["twice"]],
];
/** In the mount, paths of the host are names as well. */
const named = (host: string): typeof rows =>
  ["dir", "link"].map((name) => [`${host}/${name}`, 204, [host.split("/")[1]]]);

it("a mountpoint asked for by the API is a directory of the mount or refused, never one of the host", async () => {
  const image = await versions("echo one >file");
  const host = workDir();
  mkdirSync(join(host, "dir"));
  symlinkSync("dir", join(host, "link"));
  const { sock, mountpoint, stop } = await startEmpty();
  // Its own; other tests mount and unmount meanwhile.
  const mounts = () =>
    readMounts().filter((m) =>
      [host, image.dir, mountpoint].some((own) => `${m.mountpoint} ${m.source}`.includes(own)),
    );
  const before = mounts();
  const order = orderOf(image.boots[0], image.dir);
  const wrong: unknown[] = [];
  for (const [asked, status, shown] of [...rows, ...named(host)]) {
    const place = `/api/v1/mount?mountpoint=${asked.replace("HOST", host.slice(1))}`;
    const got = await say(sock, `POST ${place}`, order);
    const names = await readdir(mountpoint);
    if (got.status !== status || names.join() !== shown.join()) wrong.push({ asked, ...got, names });
    if (got.status === 204) expect((await say(sock, `DELETE ${place}`)).status).toBe(204);
  }
  expect(wrong).toEqual([]);
  expect(mounts()).toEqual(before);
  expect([readdirSync(host), readdirSync(join(host, "dir"))]).toEqual([["dir", "link"], []]);
  expect(existsSync(join(mountpoint, "dir"))).toBe(false);
  expect(await stop()).toBe(0);
});

it("the API refuses a mountpoint on, in, or above a mounted image", async () => {
  const image = await versions("mkdir dir; echo one >dir/file");
  const { sock, mountpoint, stop } = await startEmpty();
  await must(sock, "POST /a/b", image);
  const order = orderOf(image.boots[0], image.dir);
  for (const place of ["/", "/a", "/a/b", "/a/b/", "/a//b", "/a/b/dir", "/a/b/dir/file"]) {
    const { status } = await say(sock, `POST /api/v1/mount?mountpoint=${place}`, order);
    expect({ place, status }).toEqual({ place, status: 500 });
  }
  expect([await readdir(mountpoint), await readdir(join(mountpoint, "a/b/dir"))]).toEqual([["a"], ["file"]]);
  expect(await stop()).toBe(0);
});
