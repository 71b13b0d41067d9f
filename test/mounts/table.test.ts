import { describe, expect, it } from "vitest";
import { isAwaited, parseMountinfo, readMounts } from "../../src/mounts/table.ts";

const ID = { id: 41, parent: 24 };

describe("parseMountinfo", () => {
  const cases = [
    {
      name: "optional fields",
      line: "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=continue",
      want: {
        id: 36,
        parent: 35,
        device: "98:0",
        mountpoint: "/mnt2",
        type: "ext4",
        source: "/dev/root",
        options: "rw,errors=continue",
      },
    },
    {
      name: "no optional fields",
      line: "41 24 0:39 / /mnt/rootfs ro,nosuid - fuse.nydusd-ts /a/image.boot ro,user_id=0",
      want: {
        ...ID,
        device: "0:39",
        mountpoint: "/mnt/rootfs",
        type: "fuse.nydusd-ts",
        source: "/a/image.boot",
        options: "ro,user_id=0",
      },
    },
    {
      name: "escapes",
      line: "41 24 0:39 / /mnt/a\\040b\\134c\\011d ro - fuse x\\040y ro",
      want: {
        device: "0:39",
        mountpoint: "/mnt/a b\\c\td",
        type: "fuse",
        source: "x y",
        options: "ro",
        ...ID,
      },
    },
    {
      name: "a source that is called as what separates",
      line: "41 24 0:39 / /mnt ro - erofs - ro,acl",
      want: { ...ID, device: "0:39", mountpoint: "/mnt", type: "erofs", source: "-", options: "ro,acl" },
    },
    {
      name: "UTF-8",
      line: Buffer.from("41 24 0:39 / /mnt/\u00e9\u4e2d ro - fuse x ro").toString("latin1"),
      want: {
        device: "0:39",
        mountpoint: "/mnt/\u00e9\u4e2d",
        type: "fuse",
        source: "x",
        options: "ro",
        ...ID,
      },
    },
  ];
  it.each(cases)("$name", ({ line, want }) => expect(parseMountinfo(`${line}\n`)).toEqual([want]));

  it("knows an automounter's from a mount", () => {
    const line =
      "90 24 0:61 / /mnt rw,relatime shared:1 - autofs systemd-1 rw,fd=41,pgrp=1,timeout=60,direct";
    const mounts = parseMountinfo(`${line}\n${line.replace("autofs", "erofs")}\n`);
    expect([...mounts, undefined].map(isAwaited)).toEqual([true, false, false]);
  });
  it("takes nothing from an empty table", () => expect(parseMountinfo("\n")).toEqual([]));
  it("reads this machine's", () => expect(readMounts().some((m) => m.mountpoint === "/")).toBe(true));
});
