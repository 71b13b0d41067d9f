import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { AtomicFile } from "../../src/atomic-file/atomic-file.ts";
import { temporaryName } from "../../src/atomic-file/temporary.ts";
import { writeWhole } from "../../src/atomic-file/write-whole.ts";
import { allow } from "../support/acl.ts";
import { scratchDir } from "../support/image.ts";
import { USER } from "../support/user.ts";

let dir = "";
let path = "";
beforeEach(() => {
  dir = scratchDir();
  path = join(dir, "file");
});
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const listeners = () => SIGNALS.map((signal) => process.listenerCount(signal));

describe("AtomicFile", () => {
  it.each([true, false])("has its name once it is committed, durable: %s", (isDurable) => {
    const before = listeners();
    const file = new AtomicFile(path, isDurable);
    file.write(Buffer.from("hallo"));
    file.write(Buffer.from("e"), 1);
    expect(readdirSync(dir)).not.toContain("file");
    expect(listeners()).toEqual(before.map((n) => n + 1));
    file.commit();
    file.discard(); // nothing any more
    expect([readdirSync(dir), readFileSync(path, "latin1"), listeners()]).toEqual([
      ["file"],
      "hello",
      before,
    ]);
  });

  it("is not made where a stranger's link on the way leads", () => {
    mkdirSync(join(dir, "real"));
    symlinkSync("real", join(dir, "link"));
    new AtomicFile(join(dir, "link/file")).commit();
    lchownSync(join(dir, "link"), USER, USER);
    expect(() => new AtomicFile(join(dir, "link/other"))).toThrow(
      `${dir}/link/other: ${dir}/link is a link that belongs to user ${USER}`,
    );
    expect(readdirSync(join(dir, "real"))).toEqual(["file"]);
  });

  it("nobody else may write to it, whatever a directory's ACL says of what is made in it", () => {
    chmodSync(dir, 0o755);
    allow(dir, 7, "default");
    const file = new AtomicFile(path);
    file.commit();
    // The permissions of the group are the mask of the ACL.
    expect((lstatSync(path).mode & 0o777).toString(8)).toBe("640");
  });

  it("leaves nothing when it is discarded, or cannot be opened", () => {
    const before = listeners();
    new AtomicFile(path).discard();
    expect(() => new AtomicFile(join(dir, "none", "file"))).toThrow("ENOENT");
    expect([readdirSync(dir), listeners()]).toEqual([[], before]);
  });

  it.each([
    ["a directory", "mkdir file"],
    ["a fifo", "mkfifo file"],
    ["a link to a device", "ln -s /dev/null file"],
    ["a link as /dev/stdout is", "ln -s /proc/self/fd/1 file"],
  ])("is never put in place of %s", (_, make) => {
    execFileSync("sh", ["-c", make], { cwd: dir });
    const before = lstatSync(path);
    expect(() => new AtomicFile(path)).toThrow(`${path}: is there, and is no regular file`);
    expect([readdirSync(dir), lstatSync(path).ino]).toEqual([["file"], before.ino]);
  });

  it("removes what dead processes have left of the same file, and nothing else", () => {
    const ended = spawnSync("true").pid.toString(16).padStart(8, "0");
    const own = process.pid.toString(16).padStart(8, "0");
    const name = basename(temporaryName(path));
    expect(name).toContain(own);
    const others = [name, `${name}x`, name.replace(own, "zzzzzzzz")];
    for (const each of [...others, name.replace(own, ended)]) writeFileSync(join(dir, each), "");
    writeWhole(path, Buffer.from("x"));
    expect(readdirSync(dir).sort()).toEqual([...others, "file"].sort());
  });
});

describe("a signal that ends the process", () => {
  const module = new URL("../../dist/src/atomic-file/", import.meta.url).href;
  const script = `
    const { AtomicFile } = await import(${JSON.stringify(`${module}atomic-file.js`)});
    const { stopFirst } = await import(${JSON.stringify(`${module}clean-up.js`)});
    const file = new AtomicFile(process.argv[1]);
    stopFirst(async () => console.log("stopped"));
    console.log("ready");
    setInterval(() => {}, 1000);`;

  it.each(SIGNALS)("%s: other work is stopped, then the file goes", async (signal) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (chunk) => {
      if (said === "") {
        expect(readdirSync(dir)).toHaveLength(1);
        child.kill(signal);
      }
      said += chunk;
    });
    const ended = await new Promise((resolve) => child.on("close", (_, by) => resolve(by)));
    expect([ended, said, readdirSync(dir)]).toEqual([signal, "ready\nstopped\n", []]);
  });
});
