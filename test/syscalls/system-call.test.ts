import { closeSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { fsconfig, fsopen, messages } from "../../src/syscalls/mount-api.ts";
import { loadSystemCalls, SystemCallError } from "../../src/syscalls/system-call.ts";

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
