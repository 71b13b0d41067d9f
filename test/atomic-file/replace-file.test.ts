import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { putContent, replaceBy, replaceFile } from "../../src/atomic-file/replace-file.ts";
import { strangerOf } from "../../src/safe-open/strangers.ts";
import { scratchDir } from "../support/image.ts";
import { USER } from "../support/user.ts";

let dir = "";
let path = "";
beforeEach(() => {
  dir = scratchDir();
  path = join(dir, "file");
});
const text = (name = "file") => readFileSync(join(dir, name), "latin1");
const PLAIN = { mode: 0o600, isDurable: false };

describe("replaceFile", () => {
  it.each([
    { name: "at once", isDurable: false },
    { name: "on disk", isDurable: true },
  ])("makes a file and replaces it, $name, and leaves nothing else", ({ isDurable }) => {
    replaceFile(path, "one", { mode: 0o600, isDurable });
    replaceFile(path, Buffer.from("two"), { mode: 0o600, isDurable });
    expect([text(), readdirSync(dir)]).toEqual(["two", ["file"]]);
  });

  it.each([0o644, 0o600, 0o666])("gives it mode 0%o whatever the umask is", (mode) => {
    const umask = process.umask(0o077);
    try {
      replaceFile(path, "x", { mode, isDurable: false });
    } finally {
      process.umask(umask);
    }
    expect(statSync(path).mode & 0o7777).toBe(mode);
  });

  it("replaces a link and does not follow it", () => {
    writeFileSync(join(dir, "target"), "as it was");
    symlinkSync("target", path);
    replaceFile(path, "new", PLAIN);
    expect([text("target"), lstatSync(path).isFile(), text()]).toEqual(["as it was", true, "new"]);
  });

  it("leaves the old file and no temporary one when it fails", () => {
    mkdirSync(path);
    expect(() => replaceFile(path, "x", PLAIN)).toThrow("EISDIR");
    expect(readdirSync(dir)).toEqual(["file"]);
    expect(() => replaceFile(join(dir, "none", "file"), "x", PLAIN)).toThrow("ENOENT");
  });

  it("overwrites what a killed process left under the caller's own temporary name", () => {
    const temporary = `${path}.tmp`;
    writeFileSync(temporary, "left from before, and longer");
    chmodSync(temporary, 0o666);
    replaceFile(path, "new", { ...PLAIN, temporary });
    expect([text(), statSync(path).mode & 0o777, readdirSync(dir)]).toEqual(["new", 0o600, ["file"]]);
  });

  it("refuses a link under the caller's own temporary name", () => {
    const temporary = `${path}.tmp`;
    writeFileSync(join(dir, "target"), "as it was");
    symlinkSync("target", temporary);
    expect(() => replaceFile(path, "new", { ...PLAIN, temporary })).toThrow("ELOOP");
    expect(text("target")).toBe("as it was");
  });
});

it("replaceBy leaves no second name of a file that is there already", () => {
  writeFileSync(path, "x");
  replaceBy(path, (temporary) => linkSync(path, temporary));
  expect([readdirSync(dir), statSync(path).nlink]).toEqual([["file"], 1]);
});

const put = () => {
  const fd = openSync(join(dir, "from"), "r");
  try {
    putContent(join(dir, "from"), path, fd);
  } finally {
    closeSync(fd);
  }
};

describe("putContent", () => {
  it.each([
    { name: "takes the name when it is free", there: undefined, want: "made" },
    { name: "keeps a file of these bytes", there: "made", want: "made" },
    { name: "replaces one of another length, which is damaged", there: "dam", want: "made" },
  ])("$name", ({ there, want }) => {
    if (there !== undefined) writeFileSync(path, there);
    writeFileSync(join(dir, "from"), "made");
    put();
    expect([text(), readdirSync(dir)]).toEqual([want, ["file"]]);
  });

  it("refuses one of that length and other bytes", () => {
    writeFileSync(path, "kept");
    writeFileSync(join(dir, "from"), "made");
    expect(put).toThrow(`${path}: its bytes are not those that its name says: remove it`);
    expect(text()).toBe("kept");
  });

  it.each([
    ["a stranger's file", () => chownSync(path, USER, USER)],
    ["one that others may write", () => chmodSync(path, 0o666)],
    [
      "a link",
      () => {
        renameSync(path, join(dir, "to"));
        symlinkSync("to", path);
      },
    ],
  ])("replaces %s, whatever is in it", (_, make) => {
    writeFileSync(path, "made");
    make();
    const before = lstatSync(path).ino;
    writeFileSync(join(dir, "from"), "made");
    put();
    expect([text(), lstatSync(path).ino === before, strangerOf(lstatSync(path))]).toEqual([
      "made",
      false,
      undefined,
    ]);
  });
});
