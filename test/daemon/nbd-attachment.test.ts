import { closeSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { NbdAttachment } from "../../src/daemon/nbd-attachment.ts";
import { openLog } from "../../src/log/log.ts";
import { loadSystemCalls, SystemCallError, systemCall } from "../../src/syscalls/system-call.ts";

/** What the kernel would say of the device, and the orders that it got. */
const kernel = vi.hoisted(() => ({
  attributes: {} as Record<string, string | undefined>,
  orders: [] as string[],
  connect: () => {},
  /** Connections of it that are dead; the other ends of those that came in their place. */
  dead: 0,
  held: [] as number[],
}));

vi.mock("../../src/syscalls/nbd-device.ts", () => ({
  NbdControl: class {
    connect() {
      kernel.orders.push("connect");
      kernel.connect();
    }
    reconnect(_: unknown, [fd]: [number]) {
      kernel.orders.push("reconnect");
      if (kernel.dead === 0) return; // nobody keeps the socket
      kernel.dead--;
      kernel.held.push(systemCall("fcntl", "F_DUPFD", fd, 0, 0));
    }
    disconnect() {
      kernel.orders.push("disconnect");
    }
    close() {
      kernel.orders.push("close");
    }
  },
}));
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const readFileSync = (path: string, ...rest: [BufferEncoding]) => {
    const name = /^\/sys\/block\/nbd7\/(.*)$/.exec(path)?.[1];
    if (name === undefined) return fs.readFileSync(path, ...rest);
    const value = kernel.attributes[name];
    if (value === undefined) throw new Error("ENOENT");
    return `${value}\n`;
  };
  return { ...fs, readFileSync };
});

const DISK = { size: 4096, blockSize: 512, flags: 3, backend: "mine" };
const attachment = () =>
  new NbdAttachment(
    { path: "/dev/nbd7", index: 7, connections: 2 },
    DISK,
    async (fd) => closeSync(fd),
    openLog("error"),
  );

describe("a process that waits for the device", () => {
  beforeEach(async () => {
    await loadSystemCalls();
    kernel.orders.length = 0;
    kernel.attributes = {};
    kernel.connect = () => {};
    kernel.dead = 0;
  });

  it.each<[name: string, attributes: Record<string, string>, busy: boolean, tried: RegExp]>([
    ["that another one serves", { pid: "123", backend: "mine" }, false, /^(reconnect )+close$/],
    ["that is in between", {}, true, /^(connect )+close$/],
  ])("%s, ends when it is asked to, and has touched nothing", async (_, attributes, isBusy, tried) => {
    kernel.attributes = attributes;
    kernel.connect = () => {
      if (isBusy) throw new SystemCallError("EBUSY", "connect(nbd7)");
    };
    const waits = attachment();
    const attached = waits.attach();
    await vi.waitUntil(() => kernel.orders.length > 1, { timeout: 60_000, interval: 10 });
    await waits.end();
    expect(await attached).toBe(false);
    expect(kernel.orders.join(" ")).toMatch(tried);
  });

  it("takes it when the other one has ended it", async () => {
    kernel.attributes = { pid: "123", backend: "mine" };
    const waits = attachment();
    const attached = waits.attach();
    await vi.waitUntil(() => kernel.orders.length > 1, { timeout: 60_000, interval: 10 });
    kernel.attributes = {};
    kernel.connect = () => {
      kernel.attributes = { pid: `${process.pid}`, backend: "mine" };
    };
    expect(await attached).toBe(true);
    kernel.attributes = {}; // and somebody ends it
    await waits.lost;
    await waits.end();
    expect(kernel.orders.filter((order) => order === "disconnect")).toEqual([]);
  });

  it("takes connections that die, and those that die later, and no others", async () => {
    kernel.attributes = { pid: "123", backend: "mine" };
    const waits = attachment();
    const attached = waits.attach();
    await vi.waitUntil(() => kernel.orders.length > 1, { timeout: 60_000, interval: 10 });
    expect(kernel.held).toEqual([]);
    for (const dead of [2, 1, 1]) {
      const before = kernel.held.length;
      kernel.dead = dead;
      await vi.waitUntil(() => kernel.dead === 0, { timeout: 60_000, interval: 10 });
      expect(await attached).toBe(true);
      expect(kernel.held.length - before).toBe(dead);
    }
    kernel.attributes = {};
    await waits.end();
    for (const fd of kernel.held.splice(0)) closeSync(fd);
  });

  it("refuses another one's disk", async () => {
    kernel.attributes = { pid: "123", backend: "other" };
    const waits = attachment();
    await expect(waits.attach()).rejects.toThrow("/dev/nbd7: shows another disk already");
    await waits.end();
    expect(kernel.orders).toEqual(["close"]);
  });
});
