import { spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mustBeFree, PidFile } from "../../src/daemon/pid-file.ts";
import type { Ended } from "../../src/session/ended.ts";
import { scratchDir } from "../support/image.ts";

const none = () => [];
const ended = (how: Ended["how"]): Ended => ({ how, message: "" });

describe("PidFile", () => {
  it("is written when the mount can be used, readable by every user, and removed with the mount", () => {
    const path = join(scratchDir(), "pid");
    const file = new PidFile(path, 42);
    expect(existsSync(path)).toBe(false);
    file.ready();
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["42\n", 0o644]);
    file.ended(ended("unmounted"));
    expect(existsSync(path)).toBe(false);
  });

  it("stays when another process goes on with the session", () => {
    const path = join(scratchDir(), "pid");
    const file = new PidFile(path, 42);
    file.ready();
    file.ended(ended("handed over"));
    expect(readFileSync(path, "utf8")).toBe("42\n");
  });

  it("that the process before has written is not written again, and removed in the end", () => {
    const path = join(scratchDir(), "pid");
    writeFileSync(path, "42\n");
    const { ino } = statSync(path);
    const file = new PidFile(path, 42);
    file.ready();
    expect(statSync(path).ino).toBe(ino);
    file.ended(ended("stopped"));
    expect(existsSync(path)).toBe(false);
  });

  it("gets the pid of a keeper that has adopted the session", () => {
    const path = join(scratchDir(), "pid");
    writeFileSync(path, "7\n");
    new PidFile(path, 42).ready();
    expect(readFileSync(path, "utf8")).toBe("42\n");
  });

  it("that another daemon has taken meanwhile stays", () => {
    const path = join(scratchDir(), "pid");
    const file = new PidFile(path, 42);
    file.ready();
    writeFileSync(path, "7\n");
    file.ended(ended("stopped"));
    expect(readFileSync(path, "utf8")).toBe("7\n");
  });

  it.each(["/dev/null", scratchDir()])("is never put in place of what is no file: a link to %s", (target) => {
    const path = join(scratchDir(), "pid");
    symlinkSync(target, path);
    expect(() => mustBeFree(path, 42, none)).toThrow(`pid file ${path}: is there, and is no regular file`);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
  });

  it("replaces a link of that name, and leaves what the link leads to", () => {
    const dir = scratchDir();
    const [path, other] = [join(dir, "pid"), join(dir, "other")];
    writeFileSync(other, "other");
    symlinkSync(other, path);
    new PidFile(path, 42).ready();
    expect([lstatSync(path).isFile(), readFileSync(other, "utf8")]).toEqual([true, "other"]);
  });

  it("that cannot be written is named, and nothing of that name is removed", () => {
    const path = join(scratchDir(), "pid");
    mkdirSync(path);
    const file = new PidFile(path, 42);
    expect(() => file.ready()).toThrow(`pid file ${path}: `);
    file.ended(ended("stopped"));
    expect(statSync(path).isDirectory()).toBe(true);
  });
});

describe("the pid file of another daemon", () => {
  /** A process that says of itself that it is one, and its file. */
  async function another(began: "before" | "after") {
    const path = join(scratchDir(), "pid");
    const child = spawn("sh", ["-c", "read x", "nydusd-ts"], { stdio: ["pipe", "ignore", "ignore"] });
    writeFileSync(path, `${child.pid}\n`);
    const written = Date.now() / 1000 + (began === "before" ? 60 : -60);
    utimesSync(path, written, written);
    return { path, pid: child.pid ?? 0, end: () => child.kill("SIGKILL") };
  }

  it("that runs is refused, by name", async () => {
    const { path, pid, end } = await another("before");
    expect(() => mustBeFree(path, 42, none)).toThrow(
      `pid file ${path}: it is that of process ${pid}, a daemon that runs; choose another with --pid-file`,
    );
    expect(() => mustBeFree(path, pid, none)).not.toThrow();
    end();
  });

  it("is free when its number is another process's by now", async () => {
    const { path, end } = await another("after");
    expect(() => mustBeFree(path, 42, none)).not.toThrow();
    end();
  });

  const FREE = { gone: "4194303\n", "no number": "x\n", "of every process": "-1\n", init: "1\n", empty: "" };
  it.each(Object.entries(FREE))("is free: %s", (_, content) => {
    const path = join(scratchDir(), "pid");
    expect(() => mustBeFree(path, 42, none)).not.toThrow();
    writeFileSync(path, content);
    expect(() => mustBeFree(path, 42, none)).not.toThrow();
  });

  it.each([
    ["that is gone here", 4_194_303],
    ["of this very number", 42],
    ["that is the first there", 1],
  ])("in another pid namespace is refused as long as its session is served: %s", (_, pid) => {
    const path = join(scratchDir(), "pid");
    const space = `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()}/1`;
    const states = (made: string[], isServed: boolean) => () =>
      [{ file: { isServed: () => isServed }, state: { owner: { pid, started: 1, space }, made } }] as never;
    writeFileSync(path, `${pid}\n`);
    expect(() => mustBeFree(path, 42, states([path], true))).toThrow(
      `pid file ${path}: it is that of process ${pid}, a daemon that runs`,
    );
    expect(() => mustBeFree(path, 42, states(["/other"], true))).not.toThrow();
    expect(() => mustBeFree(path, 42, states([path], false))).not.toThrow();
  });
});
