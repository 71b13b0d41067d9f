import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Random } from "../fuzz/random.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { type Containerd, certificateOf } from "../support/containers/containerd.ts";
import { connected } from "../support/containers/connected.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { slowImage } from "../support/containers/slow-image.ts";
import { type Both, startBoth } from "../support/containers/snapshotter.ts";
import type { Finished } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { often } from "../support/often.ts";

const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? 1);
const LAYERS = 4;
/** Times that a pull is ended somewhere between its beginning and its end. */
const KILLS = often("NYDUSD_TS_KILLS", 3, 10);

interface Victim {
  readonly name: string;
  /** Ends it, or them, a while after a pull has begun, and puts them back. */
  readonly pullAndKill: (both: Both, ms: number, pull: readonly string[]) => Promise<void>;
}
/** A pull may fail, but not hang. */
async function ended(containerd: Containerd, pulled: Promise<Finished>): Promise<void> {
  const { status } = await pulled;
  if (status === TIMED_OUT) throw new Error(`a pull hung:\n${containerd.log()}`);
}
/** Status of timeout(1). */
const TIMED_OUT = 124;

const VICTIMS: readonly Victim[] = [
  {
    name: "the snapshotter",
    pullAndKill: async ({ containerd, snapshotter }, ms, pull) => {
      const pulled = containerd.ctr(...pull);
      await sleep(ms);
      await snapshotter.end("SIGKILL");
      await snapshotter.start();
      await ended(containerd, pulled);
    },
  },
  {
    name: "both of them",
    pullAndKill: async ({ containerd, snapshotter }, ms, pull) => {
      const pulled = containerd.ctr(...pull);
      await sleep(ms);
      await Promise.all([containerd.end(), snapshotter.end("SIGKILL")]);
      await snapshotter.start();
      await containerd.start();
      await ended(containerd, pulled);
    },
  },
  {
    name: "containerd",
    pullAndKill: async ({ containerd }, ms, pull) => {
      const pulled = containerd.ctr(...pull);
      await sleep(ms);
      await containerd.end();
      await containerd.start();
      await ended(containerd, pulled);
    },
  },
  {
    name: "the client",
    pullAndKill: async ({ containerd }, ms, pull) => {
      await containerd.ctrKilled(ms, ...pull);
    },
  },
];

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it.each(VICTIMS.slice(0, often("NYDUSD_TS_VICTIMS", 2, VICTIMS.length)))(
    `pulls and runs an image after SIGKILL for $name in ${KILLS} pulls of it, and leaves nothing`,
    async ({ pullAndKill }) => {
      const random = new Random(SEED);
      const image = slowImage(LAYERS);
      const want = await referenceTree(engine, image);
      const both = await startBoth(engine);
      const before = filesOf(both);
      const registry = await startRegistry(certificateOf(both.containerd.dir));
      const name = registry.add("test/image", image);
      const pull = ["image", "pull", "--snapshotter", PROXY, name];
      const start = Date.now();
      await both.containerd.ask(...pull);
      const whole = Date.now() - start;
      await removeAll(both);
      for (let i = 0; i < KILLS; i++) {
        await pullAndKill(both, 1 + random.below(whole), pull);
        await connected(both);
        // What came to an end all the same is to be pulled anew.
        if (random.once(2)) await removeAll(both);
      }
      await both.containerd.ask(...pull);
      await both.containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
      expect(containerTree(both.containerd, "one")).toEqual(want);
      await removeAll(both);
      await expectNothingLeft(both, before);
    },
  );
});
