import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ask } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/test/support/cycles.js", import.meta.url));
const CYCLES = process.env.NYDUSD_TS_CYCLES ?? "1000";

it(`${CYCLES} mounts in one process leave no descriptor and no thread behind`, {
  timeout: 600_000,
}, async () => {
  const { path, devices } = fixture("01-basic");
  const { before, after } = JSON.parse(
    await ask('"$@"', process.execPath, PROGRAM, CYCLES, path, devices[0]),
  );
  expect({ fds: after.fds, threads: after.threads }).toEqual({ fds: before.fds, threads: before.threads });
  // Printed, not asserted: it grows by some 46 KiB a mount, see docs/performance.md.
  console.log(`resident: ${before.rssMb} MiB before, ${after.rssMb} MiB after`);
});
