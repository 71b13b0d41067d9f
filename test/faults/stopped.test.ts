import { beforeAll, expect, it } from "vitest";
import { ask, servedCounts, start } from "../support/daemon.ts";
import { isBack } from "../support/leftovers.ts";
import { often } from "../support/often.ts";
import { resourcesOf } from "../support/submounts.ts";
import { type TarImage, tarImage } from "../support/tar-image.ts";

const SECONDS = often("NYDUSD_TS_STOPPED", 2, 10);
let image: TarImage;
beforeAll(() => {
  image = tarImage("for i in $(seq 40); do head -c 1000000 /dev/urandom >f$i; done");
});

it.each(["direct", "fuse-native"])(
  `%s: SIGSTOP for ${SECONDS} s: readers wait, go on, and nothing is lost`,
  async (transport) => {
    const daemon = await start([...image.flags, "--transport", transport]);
    await ask('cat "$1/f1" >/dev/null', daemon.mountpoint);
    const before = resourcesOf(daemon.pid);
    const read = `for i in 1 2 3 4; do { for f in "$1"/f*; do
      dd if="$f" iflag=direct bs=64k status=none | cmp - "$2/\${f##*/}"; done; echo done; } & done; wait`;
    const reading = ask(read, daemon.mountpoint, image.source);
    await ask(`sleep 0.2; kill -STOP $1; sleep ${SECONDS}; kill -CONT $1`, `${daemon.pid}`);
    expect(await reading).toBe("done\n".repeat(4));
    expect(await ask(read, daemon.mountpoint, image.source)).toBe("done\n".repeat(4));
    // libfuse keeps the threads that a crowd made it start.
    await isBack(daemon.pid, before, transport === "fuse-native" ? { threads: 12 } : {});
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["errors"]).toBeUndefined();
  },
  120_000 + 2000 * SECONDS,
);
