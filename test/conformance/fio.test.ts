import { describe, expect, it } from "vitest";
import { ask, servedCounts, shell, start } from "../support/daemon.ts";
import { tarImage } from "../support/tar-image.ts";

/** fio writes blocks that say where they belong and what is in them, before they are packed, and reads them at the mountpoint. */
const COMMON = "--name=v --bs=4k --size=6m --verify=crc32c --verify_fatal=1 --verify_dump=0 --minimal";

const WAYS = [
  ["sync", 1, "--rw=read"],
  ["psync", 1, "--rw=randread --direct=1"],
  ["mmap", 1, "--rw=randread"],
  ["posixaio", 8, "--rw=randread"],
  ["libaio", 16, "--rw=randread --direct=1"],
  ["io_uring", 32, "--rw=randread"],
] as const;

describe.each(["direct", "fuse-native"])("fio --verify=crc32c, %s", (transport) => {
  it("reads what it wrote, by every engine that there is", async () => {
    const made =
      tarImage(`fio ${COMMON} --filename=verify --rw=write --ioengine=psync --do_verify=0 >/dev/null; head -c 6m verify >bad
      printf X | dd of=bad bs=1 seek=5000000 conv=notrunc status=none`);
    const daemon = await start([...made.flags, "--transport", transport]);
    const seen: string[] = [];
    for (const [engine, depth, more] of WAYS) {
      const command = `fio ${COMMON} --readonly --ioengine=${engine} --iodepth=${depth} ${more} --invalidate=1 --filename="$1"`;
      const { status, stderr, stdout } = await shell(`timeout 100 ${command}`, `${daemon.mountpoint}/verify`);
      if (
        /not loadable|Operation not permitted|not supported|Function not implemented/.test(stderr + stdout)
      ) {
        console.warn(`skipped: fio's ${engine}, because ${(stderr + stdout).split("\n")[0]}`);
        continue;
      }
      expect([engine, status, stderr]).toEqual([engine, 0, ""]);
      seen.push(engine);
    }
    expect(seen.length).toBeGreaterThanOrEqual(3);
    // It would notice.
    const bad = await shell(
      `fio ${COMMON} --readonly --rw=read --ioengine=psync --filename="$1"`,
      `${daemon.mountpoint}/bad`,
    );
    expect([bad.status === 0, bad.stderr + bad.stdout]).toEqual([false, expect.stringContaining("verify")]);
    expect(await ask('cmp "$1/verify" "$2/verify"', daemon.mountpoint, made.source)).toBe("");
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["errors"]).toBeUndefined();
  });
});
