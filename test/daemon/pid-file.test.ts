import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PidFile } from "../../src/daemon/pid-file.ts";
import type { Ended } from "../../src/session/ended.ts";
import { scratchDir } from "../support/image.ts";

const ended = (how: Ended["how"]): Ended => ({ how, message: "" });

describe("PidFile", () => {
  it("is written when the mount can be used, readable by every user, and removed with the mount", () => {
    const path = join(scratchDir(), "pid");
    const file = new PidFile(path, 42, false);
    expect(existsSync(path)).toBe(false);
    file.ready();
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["42\n", 0o644]);
    file.ended(ended("unmounted"));
    expect(existsSync(path)).toBe(false);
  });

  it("stays when another process goes on with the session", () => {
    const path = join(scratchDir(), "pid");
    const file = new PidFile(path, 42, false);
    file.ready();
    file.ended(ended("handed over"));
    expect(readFileSync(path, "utf8")).toBe("42\n");
  });

  it("that the process before has written is not written again, and removed in the end", () => {
    const path = join(scratchDir(), "pid");
    writeFileSync(path, "7\n");
    const file = new PidFile(path, 42, true);
    file.ready();
    expect(readFileSync(path, "utf8")).toBe("7\n");
    file.ended(ended("stopped"));
    expect(existsSync(path)).toBe(false);
  });

  it("replaces a link of that name, and leaves what the link leads to", () => {
    const dir = scratchDir();
    const [path, other] = [join(dir, "pid"), join(dir, "other")];
    writeFileSync(other, "other");
    symlinkSync(other, path);
    new PidFile(path, 42, false).ready();
    expect([lstatSync(path).isFile(), readFileSync(other, "utf8")]).toEqual([true, "other"]);
  });

  it("that cannot be written is named, and nothing of that name is removed", () => {
    const path = join(scratchDir(), "pid");
    mkdirSync(path);
    const file = new PidFile(path, 42, false);
    expect(() => file.ready()).toThrow(`pid file ${path}: `);
    file.ended(ended("stopped"));
    expect(statSync(path).isDirectory()).toBe(true);
  });
});
