import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { ctl, type Managed, startManaged } from "../support/api.ts";
import { ask } from "../support/daemon.ts";

/** nydus's own client, in $NYDUSCTL or on the PATH. */
const NYDUSCTL = process.env.NYDUSCTL ?? "nydusctl";
const isThere = spawnSync(NYDUSCTL, ["--version"]).status === 0;
if (!isThere) console.warn("skipped: nydus's own client, because there is no genuine nydusctl on PATH");

const both = async ({ sock }: Managed, line: string) => {
  const args = ["-S", sock, ...line.split(" ")];
  return [await ctl(args), await ctl(args, [NYDUSCTL])] as const;
};
/** Without what is said otherwise on purpose: labels of classes, the id, and an average of nothing. */
const plain = (text: string) =>
  text
    .replace(/ +$/gm, "")
    .replaceAll("NaN", "0")
    .replace(/Time: .*|^Id: .*\n/gm, "")
    .replace(/Read Latency:.*/, "")
    .trim();

it.runIf(isThere).each(["direct", "fuse-native"])(
  "is understood by nydus's own client, %s",
  async (transport) => {
    const daemon = await startManaged("04-large", "--id", "me", "--transport", transport);
    await ask('cat "$1/m1p1" >/dev/null', daemon.mountpoint);
    for (const line of [
      "info",
      "metrics fsstats",
      "metrics backend",
      "metrics cache",
      "set log-level debug",
    ]) {
      const [ours, theirs] = await both(daemon, line);
      expect({ line, ...theirs, stdout: plain(theirs.stdout) }).toEqual({
        line,
        ...ours,
        stdout: plain(ours.stdout),
      });
      expect(theirs.status).toBe(0);
    }
    const json = (text: string): unknown => JSON.parse(text);
    for (const line of ["info", "metrics backend", "metrics cache"]) {
      const [ours, theirs] = await both(daemon, `--raw ${line}`);
      expect(json(theirs.stdout)).toEqual(json(ours.stdout));
    }
    const [, refused] = await both(daemon, "set log-level bogus");
    expect(refused.stdout + refused.stderr).toContain("ResponsePayloadType");
    expect(await daemon.stop()).toBe(0);
  },
);
