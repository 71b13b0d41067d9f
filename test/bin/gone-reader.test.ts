import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/** Runs a program whose output is a pipe that nobody reads any more. */
const SCRIPT = 'exec 3> >(:); wait $!; "$@" >&3';

it.each(["nydusd-ts", "nydus-image-ts", "nydusctl-ts", "nydus-snapshotter-ts"])(
  "%s has no stack to show whoever stops reading",
  (name) => {
    const program = fileURLToPath(new URL(`../../dist/bundle/${name}.js`, import.meta.url));
    const { stderr } = spawnSync("bash", ["-c", SCRIPT, "bash", process.execPath, program, "--help"], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
  },
);
