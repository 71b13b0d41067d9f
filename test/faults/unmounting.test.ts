import { once } from "node:events";
import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { mountAt, readMounts } from "../../src/mounts/table.ts";
import {
  ask,
  hold,
  isMounted,
  launch,
  mentioning,
  shell,
  start,
  stopAtOnce,
  until,
  workDir,
} from "../support/daemon.ts";
import { type TarImage, tarImage } from "../support/tar-image.ts";

let image: TarImage;
beforeAll(() => {
  image = tarImage(
    "head -c 30000000 /dev/urandom >big; mkdir d; for i in $(seq 200); do seq $i >d/f$i; done",
  );
});

/** Nothing but these may go wrong once the mount is gone, and never a byte. */
const GONE =
  /^(\S+: .*(No such file or directory|not connected|Software caused connection abort|Input\/output error)|.*EOF on .*)$/;

/** Compares all files, uncached, until it cannot any more. Says only what is wrong. */
const READER = `echo begun; while :; do
  for f in "$1"/d/f*; do [ -e "$f" ] || exit 0; cmp "$f" "$2/d/\${f##*/}" || exit 0; done
  dd if="$1/big" iflag=direct bs=1M status=none | cmp - "$2/big" || exit 0
done`;

const TWICE = "SIGTERM twice";
const ABORT = 'mount -t fusectl none "$2"; [ ! -e "$2/$3" ] || echo 1 >"$2/$3/abort"; umount "$2"';

describe.each(["direct", "fuse-native"])("%s under load", (transport) => {
  it.each<[what: string, script: string, status: number]>([
    ["umount -l", 'umount -l "$1"', 0],
    ["umount -f", 'umount -f "$1" 2>/dev/null || umount -lf "$1"', 0],
    ["fusermount -uz", 'fusermount -uz "$1"', 0],
    ["an abort", ABORT, 1],
    [TWICE, 'kill "$4"', 0],
  ])("%s: it ends, no reader sees a wrong byte, and the next mount works", async (what, script, status) => {
    const daemon = await start([...image.flags, "--transport", transport]);
    const minor = mountAt(daemon.mountpoint)?.device.split(":")[1] ?? "";
    const readers = Array.from({ length: 3 }, () => {
      const child = launch("bash", ["-c", READER, "bash", daemon.mountpoint, image.source]);
      let text = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => {
          text += chunk;
        });
      return { closed: once(child, "close"), said: () => text };
    });
    await until(() => readers.every(({ said }) => said().startsWith("begun\n")), "the readers");
    const inside = what === TWICE ? await hold('cd "$1"', ":", daemon.mountpoint) : undefined;
    await ask(script, daemon.mountpoint, workDir(), minor, `${daemon.pid}`);
    expect(await (what === TWICE ? stopAtOnce(daemon) : daemon.exited)).toBe(status);
    await inside?.release();
    for (const { closed, said } of readers) {
      await closed;
      expect(
        said()
          .split("\n")
          .filter((line) => line !== "" && line !== "begun" && !GONE.test(line)),
      ).toEqual([]);
    }
    expect(isMounted(daemon.mountpoint)).toBe(false);
    expect(readdirSync(daemon.mountpoint)).toEqual([]);
    const next = await start([...image.flags, "--transport", transport], daemon.mountpoint);
    expect(await ask('diff -r "$1" "$2"', next.mountpoint, image.source)).toBe("");
    expect(await next.stop()).toBe(0);
    expect(mentioning(daemon.mountpoint)).toEqual([]);
    expect(readMounts().filter(({ mountpoint }) => mountpoint === daemon.mountpoint)).toEqual([]);
  });

  it("fusermount -u of what is busy is refused, and serves on", async () => {
    const daemon = await start([...image.flags, "--transport", transport]);
    const script = 'cd "$1"; fusermount -u "$1" 2>&1 || echo refused';
    expect((await shell(script, daemon.mountpoint)).stdout).toMatch(/busy\nrefused\n$/);
    expect(await ask('cmp "$1/big" "$2/big"', daemon.mountpoint, image.source)).toBe("");
    await ask('fusermount -u "$1"', daemon.mountpoint);
    expect(await daemon.exited).toBe(0);
  });
});
