import { describe, expect, it } from "vitest";
import { formatFacts, type ReadyFacts } from "../../src/daemon/facts.ts";

const image = { image: "a.boot", mountpoint: "/mnt", inodes: 3, blobs: 1 };

describe("formatFacts", () => {
  const cases: [name: string, facts: ReadyFacts, line: string][] = [
    ["a daemon without an image", { mountpoint: "/mnt" }, "mountpoint=/mnt ms=2"],
    [
      "a FUSE daemon, in the documented order whatever the record's",
      {
        ...{ upper: "/upper", metrics: "[::1]:9", transport: "direct", workers: 2, protocol: "7.45" },
        ...{ max_read: 1_048_576, ...image },
      },
      "image=a.boot mountpoint=/mnt inodes=3 blobs=1 transport=direct workers=2 protocol=7.45 max_read=1048576 " +
        "upper=/upper metrics=[::1]:9 ms=2",
    ],
    [
      "the kernel's EROFS",
      { ...image, driver: "erofs", backing: "file", upper: undefined },
      "image=a.boot mountpoint=/mnt inodes=3 blobs=1 driver=erofs backing=file ms=2",
    ],
    [
      "values that would not be one word",
      { image: "/a b", mountpoint: '/c\n"d\u001b', blobs: 0 },
      'image="/a b" mountpoint="/c\\n\\"d\\u001b" blobs=0 ms=2',
    ],
    ["a count of zero", { mountpoint: "/m", blobs: 0 }, "mountpoint=/m blobs=0 ms=2"],
  ];
  it.each(cases)("%s", (_, facts, line) => expect(formatFacts(facts, 1.6)).toBe(line));

  it("of a daemon in the background", () =>
    expect(formatFacts({ mountpoint: "/m" }, 2, { log: "/var/log/a b.log", pid: 7 })).toBe(
      'mountpoint=/m ms=2 log="/var/log/a b.log" pid=7',
    ));
});
