import { expect, it } from "vitest";
import type { Daemon } from "../../src/daemon/daemon.ts";
import { Lifecycle, type Served } from "../../src/daemon/lifecycle.ts";
import { observersOf } from "../../src/daemon/observers.ts";
import type { Started } from "../../src/daemon/start.ts";
import type { Ended } from "../../src/session/ended.ts";
import { newLog } from "../session/support.ts";

/** A daemon whose parts say what they are told. */
function setUp(options: { readonly pidFile?: string }) {
  const heard: string[] = [];
  const part = (name: string) => ({
    ready: () => void heard.push(`${name} ready`),
    ended: ({ how }: Ended) => void heard.push(`${name} ended ${how}`),
  });
  let end: (how: Ended) => void = () => {};
  const session = {
    ended: new Promise<Ended>((resolve) => {
      end = resolve;
    }),
    stop: async () => end({ how: "unmounted", message: "" }),
  };
  const served = { session, mountpoint: "/mnt", isResumed: false } as unknown as Served;
  const daemon = {
    ...{ options: { mountOptions: [], ...options }, log: newLog(), keeper: undefined },
    ...{ outgoing: part("state"), control: part("control"), listeners: part("listeners") },
  } as unknown as Daemon;
  const started = { served, context: undefined, resumed: undefined } as unknown as Started;
  return { heard, lifecycle: new Lifecycle(served, observersOf(daemon, started), newLog()) };
}

it("the state is kept from the first observer on, and told of the end", async () => {
  const { heard, lifecycle } = setUp({});
  await lifecycle.ready();
  await lifecycle.stop();
  await lifecycle.ended;
  expect(heard).toEqual([
    ...["state ready", "listeners ready", "control ready"],
    ...["state ended unmounted", "listeners ended unmounted", "control ended unmounted"],
  ]);
});

it("no state is left when the pid file cannot be written, or anything else fails after mounting", async () => {
  const { heard, lifecycle } = setUp({ pidFile: "/no/such/directory/pid" });
  await expect(lifecycle.ready()).rejects.toThrow("pid file /no/such/directory/pid: ");
  expect(heard).toContain("state ended unmounted");
});
