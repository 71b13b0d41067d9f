import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readCached } from "../../src/syscalls/cached-read.ts";
import { fsconfig, fsopen, messages } from "../../src/syscalls/mount-api.ts";
import { isAlone, socketPair } from "../../src/syscalls/socket-pair.ts";
import { loadSystemCalls, SystemCallError } from "../../src/syscalls/system-call.ts";
import { memoryDir } from "../support/memory-dir.ts";

describe("system calls", () => {
  it("are loaded first", () => expect(() => fsopen("proc")).toThrow("system calls are not loaded"));

  describe("once loaded", () => {
    beforeAll(loadSystemCalls);

    it("fail with the name of the error and of what failed", () => {
      let thrown: unknown;
      try {
        fsopen("no such file system");
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(SystemCallError);
      expect(thrown).toMatchObject({ code: "ENODEV", message: "fsopen(no such file system): ENODEV" });
      expect(() => fsconfig(-1, "source", "x")).toThrow("fsconfig(source=x): EINVAL");
    });

    it("read what the page cache has, or say that it has to be waited for, also where no file system can tell", () => {
      const path = join(memoryDir(1 << 20), "file");
      writeFileSync(path, "some bytes");
      const fd = openSync(path, "r");
      try {
        const into = new Uint8Array(10);
        expect([-1, 10]).toContain(readCached(fd, into, 0)); // tmpfs: EOPNOTSUPP
        expect(() => readCached(-1, into, 0)).toThrow("preadv2(RWF_NOWAIT): EBADF");
      } finally {
        closeSync(fd);
      }
    });

    it("tell at once that nobody has a socket's other end", () => {
      const [ours, theirs] = socketPair();
      try {
        writeSync(theirs, "still to be read");
        expect(isAlone(ours)).toBe(false);
        closeSync(theirs);
        expect(isAlone(ours)).toBe(true);
      } finally {
        closeSync(ours);
      }
    });

    it("hand on what the kernel says", () => {
      const fd = fsopen("proc");
      try {
        expect(messages(fd)).toEqual([]);
        expect(() => fsconfig(fd, "colour", "blue")).toThrow("fsconfig(colour=blue): EINVAL");
        expect(messages(fd)).toEqual(["proc: Unknown parameter 'colour'"]);
        expect(messages(fd)).toEqual([]);
      } finally {
        closeSync(fd);
      }
    });
  });
});
