import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ask } from "../support/daemon.ts";
import { often } from "../support/often.ts";
import { tarImage } from "../support/tar-image.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/test/support/cycles.js", import.meta.url));
const CYCLES = often("NYDUSD_TS_CYCLES", 75, 400);
/**
 * Resident memory grows by some 130 MiB in the first 400 mounts, threads and all, and by 10 in the next 600: pages
 * that the garbage collector and malloc keep for later. A leak of 128 KiB a mount would be more than this in the
 * second half.
 */
const MOST_MORE_MIB = 64;

it(`${CYCLES} mounts in one process leave no descriptor, no thread and no memory behind`, {
  timeout: 900_000,
}, async () => {
  const { boot, tar } = tarImage("for i in $(seq -w 1500); do head -c 700 /dev/urandom >f$i; done");
  const { before, middle, after, pushed, crowded } = JSON.parse(
    await ask('"$@"', process.execPath, "--expose-gc", PROGRAM, `${CYCLES}`, boot, tar),
  );
  console.log(
    `${JSON.stringify({ before, middle, after })}; with a pusher ${pushed}, with two workers ${crowded}`,
  );
  expect({ fds: after.fds, threads: after.threads }).toEqual({ fds: before.fds, threads: before.threads });
  expect(after.rssMb - middle.rssMb).toBeLessThan(MOST_MORE_MIB);
  expect({ hasPushed: pushed > 0, wasCrowded: crowded > 0 }).toEqual({ hasPushed: true, wasCrowded: true });
});
