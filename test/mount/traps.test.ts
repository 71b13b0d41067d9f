import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { mountAt } from "../../src/mounts/table.ts";
import {
  ask,
  type Daemon,
  facts,
  launch,
  servedCounts,
  start,
  startFixture,
  until,
} from "../support/daemon.ts";
import { perl } from "../support/perl.ts";
import { type TarImage, tarImage } from "../support/tar-image.ts";

/** What shared/transport.md found the kernel to ask, or to stop asking. */
const MIB = 1 << 20;
const BIG = 64;
let image: TarImage;
beforeAll(() => {
  image = tarImage(`
    for d in $(seq -w 10); do mkdir $d; for f in $(seq -w 100); do echo $d$f >$d/$f; done; ln -s 001 $d/link; done
    setfattr -n user.a -v b 01/001; head -c ${BIG}M /dev/urandom >big`);
});

/** Serves the image while `script` runs in it; how often each request came. */
async function counts(transport: string, script: string, ...args: string[]): Promise<Record<string, number>> {
  const daemon = await start([...image.flags, "--transport", transport, ...args]);
  await ask(`cd "$1"; ${script}`, daemon.mountpoint);
  expect(await daemon.stop()).toBe(0);
  return servedCounts(daemon.output());
}

// The kernel may drop what it keeps whenever it likes, and another program may look into a mount: retried.
describe("direct: the kernel", { retry: 2 }, () => {
  it.each([
    ["a walk", "find . -ls >/dev/null"],
    ["a long listing of each name", "find . -exec ls -ld {} + >/dev/null", "getxattr"],
    ["reading symlinks", "find . -type l -exec readlink {} + >/dev/null"],
    ["reading all", "find . -type f -exec cat {} + >/dev/null"],
    ["a missing name", "[ ! -e none ]; [ ! -e 01/none ]"],
  ])("asks nothing more when %s is done again", async (_, script, except = "statfs") => {
    const once = await counts("direct", script, "--push", "off");
    const often = await counts("direct", `${script}; ${script}; ${script}`, "--push", "off");
    const changing = { statfs: 0, [except]: 0 };
    expect({ ...often, ...changing }).toEqual({ ...once, ...changing });
  });

  it("asks once, or once a worker, for what it is told not to ask", async () => {
    const script = `find . -ls >/dev/null; [ -r big ] && [ -x 01 ]; cp --sparse=auto -r . "$(mktemp -d -p ${image.source}/..)"
      perl -e 'stat($_) for <*/*>'; cat */* >/dev/null`;
    const served = await counts("direct", script);
    for (const kind of ["open", "opendir", "flush", "access", "lseek", "statx", "ioctl", "poll"])
      expect([kind, served[kind] ?? 0]).toEqual([kind, expect.toSatisfy((n: number) => n <= 2)]);
    for (const kind of ["release", "releasedir", "readdir", "setattr"]) expect(served[kind]).toBeUndefined();
    expect(served["getattr"]).toBe(1); // of the root, by mount(8): no read makes an attribute doubtful
    expect(served["errors"]).toBeUndefined();
  });

  it("asks once for a missing name and once for a symlink", async () => {
    const served = await counts(
      "direct",
      "for i in $(seq 1000); do [ ! -e none ]; done; readlink 01/link 01/link; readlink 01/link",
      "--push",
      "off",
    );
    expect([served["lookup"], served["readlink"]]).toEqual([3, 1]); // none, 01, 01/link
  });

  it("revives a file from a handle after it forgot it", async () => {
    const daemon = await start([...image.flags, "--push", "off"]);
    const script = `${perl.handle} ${perl.remount}
      my ($root) = @ARGV; my $handle = handle_of("$root/07/042");
      forget($root); print content($root, $handle);`;
    expect(await ask('perl -we "$1" "$2"', script, daemon.mountpoint)).toBe("07042\n");
    expect(await daemon.stop()).toBe(0);
    const { lookup, forget = 0, batch_forget: batches = 0 } = servedCounts(daemon.output());
    expect(forget + batches).toBeGreaterThan(0);
    expect(lookup).toBeGreaterThanOrEqual(3); // 07, 042, and "." of the node once the name was gone
  });
});

describe.each([
  ["direct", 1024, MIB],
  ["fuse-native", 128, 128 * 1024],
])("%s", (transport, readAhead, maxRead) => {
  const serve = (): Promise<Daemon> => start([...image.flags, "--transport", transport]);

  it("reads ahead as far as it can, in the longest reads there are", async () => {
    const daemon = await serve();
    const { device } = mountAt(daemon.mountpoint) ?? {};
    expect(readFileSync(`/sys/class/bdi/${device}/read_ahead_kb`, "utf8")).toBe(`${readAhead}\n`);
    expect(await ask('cmp "$1/big" "$2/big"', daemon.mountpoint, image.source)).toBe("");
    expect(await daemon.stop()).toBe(0);
    const { read, read_bytes: bytes } = servedCounts(daemon.output());
    expect(bytes).toBe(BIG * MIB);
    expect(read).toBeLessThanOrEqual((BIG * MIB) / maxRead + 6);
  });

  it("asks no more than twice for an xattr of an image that has none", async () => {
    const daemon = await startFixture("08-nodata", ["--transport", transport]);
    const script = 'cd "$1"; { getfattr -n user.x $(yes d/e | head -n 1000) || true; } 2>&1 | sort | uniq -c';
    expect(await ask(script, daemon.mountpoint)).toMatch(/^ *1000 d\/e: user.x: Operation not supported\n$/);
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["getxattr"] ?? 0).toBeLessThanOrEqual(2);
  });

  it("does not mind 400 signals during reads", async () => {
    const daemon = await serve();
    const args = [`${daemon.mountpoint}/big`, `${image.source}/big`];
    expect(await ask('perl -we "$1" "$2" "$3"', perl.signals, ...args)).toMatch(
      /^all right after \d{3,} signals\n$/,
    );
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["errors"]).toBeUndefined();
  });

  it("lets a killed reader go at once", async () => {
    const daemon = await serve();
    for (let i = 0; i < 10; i++) {
      const reader = launch("bash", [
        "-c",
        'exec dd if="$1/big" of=/dev/null bs=1M iflag=direct status=none',
        "bash",
        daemon.mountpoint,
      ]);
      await new Promise((resolve) => setTimeout(resolve, 5 + 3 * i));
      reader.kill("SIGKILL");
      // When it waits for its read, it is never.
      await until(() => reader.exitCode !== null || reader.signalCode !== null, "the reader's end");
    }
    expect(await ask('cmp "$1/big" "$2/big"', daemon.mountpoint, image.source)).toBe("");
    expect(facts(daemon.pid).threads).toBeGreaterThan(0);
    expect(await daemon.stop()).toBe(0);
  });
});
