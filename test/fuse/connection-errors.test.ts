import { execFile } from "node:child_process";
import { closeSync, mkdtempSync, readSync, rmdirSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { codeOf } from "../../src/bytes/errors.ts";
import { abortConnection } from "../../src/fuse/abort.ts";
import { connectionEnd, isTransient } from "../../src/fuse/connection-errors.ts";
import { mountDevice, openDevice } from "../../src/fuse/device.ts";
import { errorReply, REPLY_UNIQUE } from "../../src/fuse/error-reply.ts";
import { HEADER_AT, newFrame, PAYLOAD } from "../../src/fuse/frame.ts";
import { answerInit } from "../../src/fuse/init.ts";
import { invalidateEntry, nudge } from "../../src/fuse/notify.ts";
import { IN, INIT_OUT, OUT, OUT_HEADER } from "../../src/fuse/wire.ts";
import { mountAt } from "../../src/mounts/table.ts";

const ABORT_ERROR = 1 << 21;
const run = promisify(execFile);

describe("what an error of the device says", () => {
  it.each([
    ["ENODEV", "unmounted", false],
    ["ENOTCONN", "unmounted", false],
    ["ECONNABORTED", "aborted", false],
    ["EPERM", "never mounted", false],
    ["ENOENT", undefined, true],
    ["EINTR", undefined, true],
    ["EAGAIN", undefined, true],
    ["EINVAL", undefined, false],
    ["ENOMEM", undefined, false],
    ["EIO", undefined, false],
  ])("%s: connection %s, one request alone %s", (code, end, transient) => {
    const error = Object.assign(new Error(code), { code });
    expect([connectionEnd(error), isTransient(error)]).toEqual([end, transient]);
  });
  it("nothing when it is no system error", () => expect(connectionEnd(new Error("x"))).toBeUndefined());
});

interface Mounted {
  readonly fd: number;
  readonly device: string;
  readonly unmount: () => Promise<unknown>;
}

/** A mount that nobody serves, whose INIT was answered. */
function mounted(withoutFlags = 0): Mounted {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-connection-"));
  const fd = openDevice();
  mountDevice(fd, dir, "none", ["ro"]);
  const f = newFrame(65_536);
  f.length = readSync(fd, f.in, 0, f.in.length, null);
  const length =
    OUT_HEADER + answerInit(f.inView, f.length, false, 16, f.outView, PAYLOAD, { minor: 0, maxRead: 0 });
  const flags = PAYLOAD + INIT_OUT.FLAGS;
  f.outView.setUint32(flags, f.outView.getUint32(flags, true) & ~withoutFlags, true);
  f.outView.setUint32(HEADER_AT + OUT.LEN, length, true);
  f.outView.setUint32(HEADER_AT + OUT.UNIQUE, f.inView.getUint32(IN.UNIQUE, true), true);
  writeSync(fd, f.out, HEADER_AT, length, null);
  const device = mountAt(dir)?.device ?? expect.fail("not mounted");
  const unmount = () =>
    run("umount", ["-i", "-l", "-c", dir], { timeout: 240_000 }).then(() => rmdirSync(dir));
  return { fd, device, unmount };
}

/** What the kernel says to each way of using the device. */
function errors(fd: number): Record<string, string> {
  const code = (use: () => void) => {
    try {
      use();
    } catch (error) {
      return codeOf(error);
    }
    return "none";
  };
  const reply = errorReply(5);
  reply.writeUInt32LE(1_000_000, REPLY_UNIQUE);
  return {
    read: code(() => readSync(fd, Buffer.alloc(65_536), 0, 65_536, null)),
    reply: code(() => writeSync(fd, reply)),
    invalidation: code(() => writeSync(fd, invalidateEntry(1, Buffer.from("x")))),
    retrieval: code(() => writeSync(fd, nudge(1000))),
  };
}

/** A write tells nothing of an end: what it is about is gone, as it may be at any time. */
const GONE = { reply: "ENOENT", invalidation: "ENOENT", retrieval: "ENOENT" };

describe("what this kernel says of a connection", () => {
  it("that never was", () => {
    const fd = openDevice();
    const all = "EPERM";
    expect(errors(fd)).toEqual({ read: all, reply: all, invalidation: all, retrieval: all });
    closeSync(fd);
  });

  const cases: { name: string; without?: number; end: (m: Mounted) => Promise<unknown>; read: string }[] = [
    { name: "that was unmounted", end: (m) => m.unmount(), read: "ENODEV" },
    { name: "that was aborted", end: (m) => abortConnection(m.device), read: "ECONNABORTED" },
    {
      name: "that was aborted without ABORT_ERROR",
      without: ABORT_ERROR,
      end: (m) => abortConnection(m.device),
      read: "ENODEV",
    },
  ];
  it.each(cases)("$name", async ({ without, end, read }) => {
    const mount = mounted(without);
    try {
      await end(mount);
      expect(errors(mount.fd)).toEqual({ read, ...GONE });
    } finally {
      closeSync(mount.fd);
      await mount.unmount().catch(() => {});
    }
  });
});
