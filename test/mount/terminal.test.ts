import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ask, blobFlags, COMMAND, emptyDir, isMounted, launch, until } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { perl } from "../support/perl.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

const KEPT = fileURLToPath(new URL("../../bin/nydusd-ts.mjs", import.meta.url));
const { path, devices } = fixture("04-large");
const IMAGE = ["-B", path, ...blobFlags(devices)];

/** Starts a command whose terminal goes away once it is ready. */
async function leave(command: readonly string[]) {
  const child = launch("perl", ["-e", perl.terminal, ...command]);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await until(() => text.includes("\n"), "the end of the terminal");
  return { pid: Number.parseInt(text, 10), how: () => text.split("\n")[1] };
}

it.each<[name: string, words: (mountpoint: string) => string[]]>([
  ["with its keeper", (mountpoint) => [KEPT, ...IMAGE, "-M", mountpoint]],
  ["--no-keeper", (mountpoint) => [KEPT, ...IMAGE, "-M", mountpoint, "--no-keeper"]],
  [
    "--no-keeper, its log in a file",
    (mountpoint) => [KEPT, ...IMAGE, "-M", mountpoint, "--no-keeper", "-L", `${mountpoint}.log`],
  ],
  [
    "mount --foreground",
    (mountpoint) => [
      KEPT,
      "mount",
      "--foreground",
      "--driver",
      "fuse",
      path,
      mountpoint,
      ...blobFlags(devices),
    ],
  ],
])("%s: serves on when its terminal has gone away, and ends well", async (_, words) => {
  const mountpoint = emptyDir();
  const { pid, how } = await leave(words(mountpoint));
  // What the kernel sends when a terminal goes away has come by now, or does while it serves.
  expect(await ask('sleep 0.5; ls "$1"', mountpoint)).toContain("small");
  process.kill(pid, "SIGTERM");
  await until(() => how() !== "", "the end");
  expect(how()).toBe("status 0");
  expect(isMounted(mountpoint)).toBe(false);
});

it("mount in the background has done what it was asked for", async () => {
  const mountpoint = emptyDir();
  const { how } = await leave([KEPT, "mount", "--driver", "fuse", path, mountpoint, ...blobFlags(devices)]);
  await until(() => how() !== "", "the end");
  expect(how()).toBe("status 0");
  expect(
    await ask('ls "$1"; node "$2" umount "$1"', mountpoint, join(dirname(COMMAND), "nydusd-ts.js")),
  ).toContain("small");
});

it.each([
  ["stdin closed", "<&-"],
  ["stdout closed", ">&-"],
  ["stderr closed", "2>&-"],
  ["all of them closed", "<&- >&- 2>&-"],
  ...[3, 7, 8, 9].map((fd): [string, string] => [`descriptor ${fd} in use`, `${fd}</dev/null`]),
  ["descriptors 3 to 8 in use", "3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3"],
  ["descriptors 3 to 9 in use", "3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&3"],
])("%s: a keeper holds the device, and another process goes on", async (_, how) => {
  const mountpoint = emptyDir();
  const script = `${WAIT_FOR}; mnt=$1; shift; exec >/dev/null; "$@" </dev/null 2>/dev/null ${how} & keeper=$!
    wait_for test -s "$mnt.pid"; ls "$mnt" >/dev/null
    first=$(cat /proc/$keeper/task/$keeper/children); kill -9 $first
    stat -f "$mnt" >/dev/null; kill $keeper; wait $keeper`; // which no cache answers
  await ask(script, mountpoint, KEPT, ...IMAGE, "-M", mountpoint, "--pid-file", `${mountpoint}.pid`);
  expect(isMounted(mountpoint)).toBe(false);
});
