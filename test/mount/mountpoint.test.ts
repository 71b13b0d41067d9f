import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mountAt, readMounts } from "../../src/mounts/table.ts";
import {
  ask,
  bePatient,
  blobFlags,
  COMMAND,
  emptyDir,
  hold,
  isMounted,
  run,
  startFixture,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const { path, devices } = fixture("04-large");
const FLAGS = ["-B", path, ...blobFlags(devices)];
const LISTING = ["exact256k", "hl_large", "m1p1", "small"];

describe.each(["direct", "fuse-native"])("%s refuses to mount on", (transport) => {
  const refusal = (mountpoint: string, ...more: string[]) => {
    const mounts = () => readMounts().filter((m) => m.mountpoint === mountpoint).length;
    const before = mounts();
    const { status, stdout, stderr } = run([...FLAGS, "--transport", transport, "-M", mountpoint, ...more]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(mounts()).toBe(before);
    return stderr
      .split("\n")
      .filter((line) => line.startsWith("Error: "))
      .join("\n");
  };

  it("a second daemon's place", async () => {
    const { mountpoint, stop } = await startFixture("04-large", ["--transport", transport]);
    expect(refusal(mountpoint)).toBe(
      `Error: mountpoint ${mountpoint}: ${path} (fuse.nydusd-ts) is mounted there already; unmount it or use --force`,
    );
    expect(await ask('ls "$1"', mountpoint)).toBe(`${LISTING.join("\n")}\n`);
    expect(await stop()).toBe(0);
  });

  it("a directory with something in it", () => {
    const dir = workDir();
    mkdirSync(join(dir, "x"));
    expect(refusal(dir)).toBe(`Error: mountpoint ${dir}: not empty; choose another or use --force`);
  });

  it("nothing", () => {
    const missing = join(workDir(), "none");
    expect(refusal(missing)).toBe(`Error: mountpoint ${missing}: no such directory`);
    expect(refusal(missing, "--force")).toBe(`Error: mountpoint ${missing}: no such directory`);
  });

  it("a file", () => {
    const file = join(workDir(), "file");
    writeFileSync(file, "");
    expect(refusal(file)).toBe(
      `Error: mountpoint ${file}: not a directory: the image comes first, then the directory to mount it on`,
    );
    expect(refusal(join(file, "x"))).toContain(`Error: mountpoint ${file}/x: ENOTDIR: not a directory`);
  });
});

describe.each(["direct", "fuse-native"])("%s mounts", (transport) => {
  const serve = (mountpoint: string, ...args: string[]) =>
    startFixture("04-large", ["--transport", transport, ...args], mountpoint);

  it("on a directory with something in it, with --force", async () => {
    const dir = workDir();
    mkdirSync(join(dir, "x"));
    const daemon = await serve(dir, "--force");
    expect(await readdir(dir)).toEqual(LISTING);
    expect(await daemon.stop()).toBe(0);
    expect(await readdir(dir)).toEqual(["x"]);
  });

  it("in the place of a dead mount, even one whose attributes are cached, and says so", async () => {
    const dead = await serve(emptyDir());
    await ask('stat "$1"; ls -la "$1"', dead.mountpoint);
    expect(await dead.stop("SIGKILL")).toBe("SIGKILL");
    await expect(statfs(dead.mountpoint)).rejects.toThrow("ENOTCONN");
    const next = await serve(dead.mountpoint);
    expect(next.output()).toContain(`WARN ${dead.mountpoint}: a mount whose server is gone; detaching it\n`);
    expect(await readdir(next.mountpoint)).toEqual(LISTING);
    expect(await next.stop()).toBe(0);
    expect(await readdir(next.mountpoint)).toEqual([]);
  });

  it.each(["a b", "c,d", "tab\there", "new\nline", "back\\slash", "é", "q\"u'ote$(id)", "-o"])(
    "on %j",
    async (name) => {
      const dir = join(workDir(), name);
      mkdirSync(dir);
      const daemon = await serve(dir);
      expect(await readdir(dir)).toEqual(LISTING);
      expect(await daemon.stop()).toBe(0);
      expect(isMounted(dir)).toBe(false);
    },
  );

  it("on what a symlink points to", async () => {
    const dir = emptyDir();
    const link = join(workDir(), "link");
    symlinkSync(dir, link);
    const daemon = await serve(link);
    expect(mountAt(dir)?.source).toBe(path);
    expect(await ask('"$@"', process.execPath, COMMAND, "umount", link)).toBe(`${link}: unmounted\n`);
    expect(await daemon.exited).toBe(0);
  });

  it.each([
    ["by default", [], /^ro,nosuid,nodev,noatime$/],
    ["with -o", ["-o", "suid", "-o", "dev,noexec"], /^ro,noexec,noatime$/],
  ] as const)("with the right options %s", async (_, args, want) => {
    const daemon = await serve(emptyDir(), ...args);
    const [vfs, fs, type] = (await ask('findmnt -no VFS-OPTIONS,FS-OPTIONS,FSTYPE "$1"', daemon.mountpoint))
      .trim()
      .split(/\s+/);
    expect(vfs).toMatch(want);
    expect(fs.split(",")).toEqual(expect.arrayContaining(["ro", "default_permissions", "allow_other"]));
    expect(type).toBe("fuse.nydusd-ts");
    expect(await daemon.stop()).toBe(0);
  });
});

it.each(["direct", "fuse-native"])(
  "%s ends without touching the mount that took its place",
  async (transport) => {
    bePatient();
    const old = await startFixture("04-large", ["--transport", transport]);
    const holder = await hold('cd "$1"', "cat small", old.mountpoint);
    await ask('umount -l "$1"', old.mountpoint);
    const next = await startFixture("08-nodata", [], old.mountpoint);
    process.kill(old.pid, "SIGTERM");
    await until(() => old.output().includes("SIGTERM: unmounting"), "the signal");
    expect(await holder.release()).toHaveLength(5);
    expect(await old.exited).toBe(0);
    expect(await readdir(next.mountpoint)).toEqual(["d", "l"]);
    expect(await next.stop()).toBe(0);
  },
);

it("mounts over a mount with --force, and uncovers it again", async () => {
  const below = await startFixture("04-large", []);
  const above = await startFixture("08-nodata", ["--force"], below.mountpoint);
  expect(await readdir(below.mountpoint)).toEqual(["d", "l"]);
  expect(await above.stop()).toBe(0);
  expect(await readdir(below.mountpoint)).toEqual(LISTING);
  expect(await below.stop()).toBe(0);
});
