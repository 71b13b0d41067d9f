import { describe, expect, it } from "vitest";
import { startContainerd } from "../support/containers/containerd.ts";
import { ENGINES } from "../support/containers/engines.ts";
import { SNAPSHOTTER } from "../support/containers/snapshotter.ts";
import { workDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { runSuite, suiteAbsent } from "./suite.ts";

/** As many tests as the suite has. */
const TESTS = 21;

describe("containerd's tests of snapshotters", () => {
  needs(suiteAbsent());

  it("pass with its own overlayfs, which shows that they are run", async () => {
    const { address, dir } = await startContainerd(ENGINES[1]);
    const { passed, others, output } = await runSuite({ ADDRESS: address, SNAPSHOTTER: "overlayfs" }, dir);
    expect(others, output).toEqual([]);
    expect(passed).toHaveLength(TESTS);
  });

  it("pass with ours", async () => {
    const START = JSON.stringify([process.execPath, SNAPSHOTTER, "--root", "ROOT", "--address", "SOCKET"]);
    const { passed, others, output } = await runSuite({ START }, workDir());
    expect(others, output).toEqual([]);
    expect(passed).toHaveLength(TESTS);
  });

  it("fail with a snapshotter that is not there", async () => {
    const { address, dir } = await startContainerd(ENGINES[1]);
    const { passed, others } = await runSuite({ ADDRESS: address, SNAPSHOTTER: "nobody" }, dir);
    expect(passed).toEqual([]);
    expect(others).toHaveLength(TESTS);
  });
});
