import { chmodSync, chownSync, lchownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { messageOf } from "../../src/bytes/errors.ts";
import { mustBeOwnDirectory, serverIn } from "../../src/safe-open/own-directory.ts";
import { allow } from "../support/acl.ts";
import { blobFlags, start } from "../support/daemon.ts";
import { fixture, scratchDir } from "../support/image.ts";
import { USER } from "../support/user.ts";

/** @returns what is wrong with it, "" when nothing is */
function wrong(path: string, dir: string, make?: number): string {
  try {
    mustBeOwnDirectory(path, { make });
    return "";
  } catch (error) {
    return messageOf(error).replaceAll(dir, "DIR");
  }
}

const own = (path: string, mode: number, uid = 0, gid = 0) => {
  mkdirSync(path);
  chownSync(path, uid, gid);
  chmodSync(path, mode);
};
const link = (to: string, path: string, uid: number) => {
  symlinkSync(to, path);
  lchownSync(path, uid, uid);
};

const theirs = `belongs to user ${USER}`;
const rows: [what: string, make: (dir: string) => void, path: string, want: string][] = [
  ["one of root's", (d) => own(join(d, "a"), 0o700), "a", ""],
  ["one that all may read", (d) => own(join(d, "a"), 0o755), "a", ""],
  ["a stranger's", (d) => own(join(d, "a"), 0o700, USER), "a", theirs],
  ["one that all may write", (d) => own(join(d, "a"), 0o777), "a", "every user may write to it"],
  ["one like /tmp", (d) => own(join(d, "a"), 0o1777), "a", "every user may write to it"],
  ["a group's", (d) => own(join(d, "a"), 0o770, 0, USER), "a", `group ${USER}, or an ACL, may write to it`],
  [
    "one with an ACL",
    (d) => {
      own(join(d, "a"), 0o700);
      allow(join(d, "a"), 7);
    },
    "a",
    "group 0, or an ACL, may write to it",
  ],
  [
    "one with an ACL to read",
    (d) => {
      own(join(d, "a"), 0o700);
      allow(join(d, "a"), 5);
    },
    "a",
    "",
  ],
  ["a file", (d) => writeFileSync(join(d, "a"), ""), "a", "not a directory"],
  [
    "below a stranger's",
    (d) => {
      own(join(d, "a"), 0o755, USER);
      own(join(d, "a/b"), 0o700);
    },
    "a/b",
    `DIR/a ${theirs}`,
  ],
  [
    "below one that all may write",
    (d) => {
      own(join(d, "a"), 0o777);
      own(join(d, "a/b"), 0o700);
    },
    "a/b",
    "DIR/a every user may write to it",
  ],
  [
    "below one like /tmp",
    (d) => {
      own(join(d, "a"), 0o1777);
      own(join(d, "a/b"), 0o700);
    },
    "a/b",
    "",
  ],
  [
    "below a stranger's that is like /tmp",
    (d) => {
      own(join(d, "a"), 0o1777, USER);
      own(join(d, "a/b"), 0o700);
    },
    "a/b",
    `DIR/a ${theirs}`,
  ],
  [
    "by root's link",
    (d) => {
      own(join(d, "a"), 0o700);
      link("a", join(d, "to"), 0);
    },
    "to",
    "",
  ],
  [
    "by a stranger's link",
    (d) => {
      own(join(d, "a"), 0o700);
      link("a", join(d, "to"), USER);
    },
    "to",
    `DIR/to is a link that ${theirs}`,
  ],
  [
    "by a stranger's link on the way",
    (d) => {
      own(join(d, "a"), 0o700);
      own(join(d, "a/b"), 0o700);
      link(join(d, "a"), join(d, "to"), USER);
    },
    "to/b",
    `DIR/to is a link that ${theirs}`,
  ],
  [
    "by links to a stranger's link",
    (d) => {
      own(join(d, "a"), 0o700);
      link("a", join(d, "to"), USER);
      link("x/../to", join(d, "via"), 0);
      own(join(d, "x"), 0o700);
    },
    "via",
    `DIR/to is a link that ${theirs}`,
  ],
  ["by a link to itself", (d) => link("to", join(d, "to"), 0), "to", "more than 40 links"],
];

describe("a directory that is believed, and written to", () => {
  it.each(rows)("%s", (_, make, path, want) => {
    const dir = scratchDir();
    make(dir);
    expect(wrong(join(dir, path), dir)).toBe(want);
  });

  it("is made with all that is missing above it, with these permissions", () => {
    const dir = scratchDir();
    const path = join(dir, "a", "b", "c");
    expect(wrong(path, dir)).toMatch("ENOENT");
    expect(wrong(path, dir, 0o700)).toBe("");
    expect(wrong(path, dir, 0o755)).toBe("");
    for (const each of ["a", "a/b/c"]) expect(statSync(join(dir, each)).mode & 0o777).toBe(0o700);
  });

  it("is not made below a stranger's, nor by a stranger's link", () => {
    const dir = scratchDir();
    own(join(dir, "a"), 0o755, USER);
    own(join(dir, "b"), 0o755);
    link("b", join(dir, "to"), USER);
    for (const path of ["a/new", "to/new/newer"]) expect(wrong(join(dir, path), dir, 0o700)).toMatch(theirs);
    for (const path of ["a/new", "b/new"])
      expect(statSync(join(dir, path), { throwIfNoEntry: false })).toBe(undefined);
  });

  it.each<[where: string, path: (dir: string) => string, want: string]>([
    ["where the kernel makes none", () => "/proc/none", "ENOENT"],
    ["below that", () => "/proc/none/a/b", "ENOENT"],
    ["below a file", (dir) => join(dir, "file", "a"), "not a directory"],
    ["below a link to nothing that cannot be", (dir) => join(dir, "dangling", "a"), "ENOENT"],
  ])("cannot be made %s", (_, path, want) => {
    const dir = scratchDir();
    writeFileSync(join(dir, "file"), "");
    symlinkSync("/proc/nothing", join(dir, "dangling"));
    expect(wrong(path(dir), dir, 0o700)).toMatch(want);
  });
});

it("a directory in a file system that a stranger serves is whose the server says, so it is not believed", async () => {
  const dir = scratchDir();
  chmodSync(dir, 0o755);
  own(join(dir, "mnt"), 0o755);
  const { path, devices } = fixture("12-merged");
  const files = ["--bootstrap", path, ...blobFlags(devices)];
  for (const [user, want] of [
    [["--user", "nobody"], "DIR/mnt is in a file system that user 65534 serves"],
    [[], ""],
  ] as const) {
    const daemon = await start([...files, ...user], join(dir, "mnt"));
    const { uid, mode } = statSync(join(dir, "mnt"));
    expect([uid, mode & 0o022]).toEqual([0, 0]);
    expect(wrong(join(dir, "mnt"), dir)).toBe(want);
    expect(await daemon.stop()).toBe(0);
  }
});

describe("who serves a FUSE file system", () => {
  const line = (place: string, type: string, source: string, options = "rw,user_id=1000,group_id=0") =>
    `36 35 0:52 / ${place} rw,nosuid shared:1 - ${type} ${source} ${options}\n`;
  const table: [what: string, mountinfo: string, want: number | undefined][] = [
    ["the kernel says", line("/mnt", "fuse", "x"), 1000],
    ["not the path", line("/tmp/a,user_id=0", "fuse", "x"), 1000],
    ["not the source", line("/mnt", "fuse", "x,user_id=0"), 1000],
    ["not the subtype", line("/mnt", "fuse.x,user_id=0", "x"), 1000],
    ["nor what begins alike", line("/mnt", "fuse", "x", "rw,my_user_id=0,user_id=1000"), 1000],
    ["of a block device, too", line("/mnt", "fuseblk", "/dev/x"), 1000],
    ["another file system has none", line("/mnt", "ext4", "fuse,user_id=7", "rw"), undefined],
    ["nor one that is controlled there", line("/mnt", "fusectl", "x"), undefined],
  ];
  it.each(table)("%s", (_, mountinfo, want) => expect(serverIn(mountinfo, "0:52")).toBe(want));
});
