import { execFileSync } from "node:child_process";
import {
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openOutput } from "../../src/atomic-file/output.ts";
import { scratchDir } from "../support/image.ts";
import { USER } from "../support/user.ts";

const bytes = Buffer.from("new");

describe("an output", () => {
  it("has its name only when it is complete", async () => {
    const dir = scratchDir();
    const output = await openOutput(join(dir, "out"));
    await output.write(bytes);
    expect(readdirSync(dir)).toEqual([expect.stringMatching(/^\.out\.[0-9a-f]{24}\.tmp$/)]);
    await output.commit();
    expect(readdirSync(dir)).toEqual(["out"]);
    expect(readFileSync(join(dir, "out"), "utf8")).toBe("new");
    expect(statSync(join(dir, "out")).mode & 0o777).toBe(0o666 & ~process.umask());
  });

  it("takes the place of an older one, or leaves it as it was", async () => {
    const dir = scratchDir();
    const path = join(dir, "out");
    writeFileSync(path, "old");
    const given = await openOutput(path);
    await given.write(bytes);
    await given.discard();
    expect(readdirSync(dir)).toEqual(["out"]);
    expect(readFileSync(path, "utf8")).toBe("old");
    const kept = await openOutput(path);
    await kept.write(bytes);
    await kept.commit();
    expect(readFileSync(path, "utf8")).toBe("new");
  });

  it("goes to where a symlink leads, and leaves the symlink", async () => {
    const dir = scratchDir();
    writeFileSync(join(dir, "real"), "old");
    symlinkSync("real", join(dir, "link"));
    const output = await openOutput(join(dir, "link"));
    await output.write(bytes);
    await output.commit();
    expect(lstatSync(join(dir, "link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(dir, "real"), "utf8")).toBe("new");
    expect(readdirSync(dir).sort()).toEqual(["link", "real"]);
  });

  it.each(["a file", "a fifo", "nothing"])("takes the place of a stranger's link to %s", async (what) => {
    const dir = scratchDir();
    const [real, link] = [join(dir, "real"), join(dir, "link")];
    if (what === "a file") writeFileSync(real, "old");
    if (what === "a fifo") execFileSync("mkfifo", [real]);
    symlinkSync("real", link);
    lchownSync(link, USER, USER);
    const output = await openOutput(link);
    await output.write(bytes);
    await output.commit();
    expect(readFileSync(link, "utf8")).toBe("new");
    expect(lstatSync(link).isFile()).toBe(true);
    if (what === "a file") expect(readFileSync(real, "utf8")).toBe("old");
    if (what === "nothing") expect(readdirSync(dir)).toEqual(["link"]);
  });

  it("goes nowhere by a stranger's link on the way, nor by one of root's that leads to one", async () => {
    const dir = scratchDir();
    mkdirSync(join(dir, "real"));
    symlinkSync("real", join(dir, "link"));
    lchownSync(join(dir, "link"), USER, USER);
    symlinkSync("link/out", join(dir, "own"));
    for (const name of ["link/out", "own"])
      await expect(openOutput(join(dir, name))).rejects.toThrow("link is a link that belongs to user 65534");
    expect(readdirSync(join(dir, "real"))).toEqual([]);
  });

  it("is written as it is when it is no file: a rename would take a device's place", async () => {
    const output = await openOutput("/dev/null");
    await output.write(bytes);
    await output.commit();
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
    const pipe = join(scratchDir(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const [, text] = await Promise.all([
      openOutput(pipe).then(async (to) => to.write(bytes).then(to.commit)),
      import("node:fs/promises").then((fs) => fs.readFile(pipe, "utf8")),
    ]);
    expect(text).toBe("new");
  });

  it("that cannot be is an error with its name", async () => {
    const dir = scratchDir();
    await expect(openOutput(dir)).rejects.toThrow(`output ${dir}: EISDIR: illegal operation on a directory`);
    await expect(openOutput(join(dir, "a/b"))).rejects.toThrow(`output ${dir}/a/b: ENOENT`);
  });

  it("has no listeners left when it is done", async () => {
    const before = process.listenerCount("SIGTERM");
    const output = await openOutput(join(scratchDir(), "out"));
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    await output.discard();
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });
});
