import { beforeEach, describe, expect, it } from "vitest";
import type { Keeper } from "../../src/handover/keeper.ts";
import { OutgoingHandover } from "../../src/handover/outgoing.ts";
import type { Next, Successor, SuccessorEvents } from "../../src/handover/protocol.ts";
import type { SessionState } from "../../src/handover/state.ts";
import type { StateFile } from "../../src/handover/state-file.ts";
import { NotWrittenDown } from "../../src/session/not-written-down.ts";
import type { SessionSnapshot } from "../../src/session/snapshot.ts";
import type { Transferable } from "../../src/session/transport.ts";
import { ManualClock, newLog, settled } from "../session/support.ts";

const KEEPER = { pid: 7, role: "first", device: 9, crashes: 0, last: 0 } as unknown as Keeper;
const SNAPSHOT = { mountpoint: "/mnt", device: "0:50" } as unknown as SessionSnapshot;

/** An outgoing handover whose keeper, disk, successor and time are the test's. */
function setUp(hasKeeper = true) {
  const keeper = hasKeeper ? KEEPER : undefined;
  const clock = new ManualClock();
  const log = newLog();
  /** What was done, in order. */
  const did: string[] = [];
  const world = {
    isKept: true,
    lastUnique: 10,
    diskError: undefined as Error | undefined,
    next: undefined as Next | undefined,
    isThere: false,
    drained: (_: boolean) => {},
  };
  const file = {
    path: "/run/1.state",
    socket: "/run/1.sock",
    write: (state: SessionState) => {
      if (world.diskError !== undefined) throw world.diskError;
      did.push(`write ${state.owner.pid}`);
    },
    writeChecked: (serials: ReadonlySet<number>) => did.push(`checked ${[...serials]}`),
    remove: () => did.push("remove"),
  } as unknown as StateFile;
  const tell = (word: string) => () => void did.push(word);
  let events: SuccessorEvents | undefined;
  const successor = {
    changed: tell("successor changed"),
    begin: tell("begin"),
    over: async (balances: unknown) => void did.push(`over ${JSON.stringify(balances)}`),
    close: tell("close"),
    gone: async () => void did.push("gone"),
    whenReady: async () => world.next,
    get isThere() {
      return world.isThere;
    },
  } as unknown as Successor;
  const outgoing = new OutgoingHandover({
    ...{ file, keeper, log, clock },
    onAdopt: tell("adopt"),
    kill: tell("kill"),
    signals: {
      tellServing: tell("serving"),
      askForNext: tell("ask for next"),
      endNext: tell("end next"),
      isKept: () => world.isKept,
    },
    listen: async (_, given, path) => {
      events = given;
      did.push(`listen ${path}`);
      return successor;
    },
  });
  const transfer = {
    state: () => SNAPSHOT,
    lastUnique: () => world.lastUnique,
    serials: () => [3],
    checkedOf: () => undefined,
    knownLookups: () => [[3, 1]],
    handOver: () =>
      new Promise<boolean>((resolve) => {
        did.push("drain");
        world.drained = resolve;
      }),
  } as unknown as Transferable;
  const serve = () => outgoing.ready({ session: { transfer } });
  /** What was done since it was asked last. */
  const since = () => did.splice(0);
  return { outgoing, clock, log, world, serve, since, events: () => events };
}

describe("state on disk", () => {
  it("is written before each change, and totals once a second when they grew", async () => {
    const { outgoing, clock, world, serve, since } = setUp();
    outgoing.changed(SNAPSHOT);
    serve();
    await clock.advance(0);
    expect(since()).toEqual(["write 7", "checked 3"]);
    await clock.advance(3_000);
    expect(since()).toEqual(["serving"]); // it has served for a quarter of a second
    world.lastUnique = 12;
    await clock.advance(3_000);
    expect(since()).toEqual(["write 7"]);
  });

  it("says once that it cannot be written, and again when it failed after a success", async () => {
    const { outgoing, log, world, serve } = setUp();
    serve();
    const change = () => outgoing.changed(SNAPSHOT);
    world.diskError = new Error("no space left");
    expect(change).toThrow(NotWrittenDown);
    expect(change).toThrow(
      "/run/1.state: no space left; make room there, or choose another with --state-dir",
    );
    expect(log.lines).toEqual([
      "error /run/1.state: no space left: images cannot change until it can be written",
    ]);
    world.diskError = undefined;
    change();
    world.diskError = new Error("again");
    expect(change).toThrow("again");
    expect(log.lines).toHaveLength(2);
  });

  it("is removed at the end, but not when another process goes on", () => {
    const { outgoing, since } = setUp();
    outgoing.ended({ how: "handed over", message: "" });
    expect(since()).toEqual([]);
    outgoing.ended({ how: "unmounted", message: "" });
    outgoing.changed(SNAPSHOT);
    expect(since()).toEqual(["remove"]);
  });
});

describe("a keeper", () => {
  it("hears that mounting begins, and nothing of it is said without a keeper", () => {
    const kept = setUp();
    kept.outgoing.arm();
    expect(kept.since()).toEqual(["serving"]);
    const alone = setUp(false);
    alone.outgoing.arm();
    expect(alone.since()).toEqual([]);
  });

  it("that is gone is said once, and a recovering process is listened for", async () => {
    const { clock, log, world, serve, since, events } = setUp();
    serve();
    world.isKept = false;
    await clock.advance(5_000);
    expect(log.lines).toEqual([
      "error the keeper, process 7, is gone: run nydusd-ts --recover, or the mount dies with this process",
    ]);
    expect(since()).toContain("listen /run/1.sock");
    events()?.onAdopt();
    expect(since()).toEqual(["adopt"]);
  });

  it("that is there keeps its session: another process does not get it", async () => {
    const { outgoing, serve, since, events } = setUp();
    serve();
    await outgoing.standBy();
    since();
    events()?.onAdopt();
    expect(since()).toEqual([]);
  });
});

describe("an upgrade", () => {
  let at: ReturnType<typeof setUp>;
  beforeEach(() => {
    at = setUp();
    at.serve();
  });

  it("needs a keeper and a session that answers", async () => {
    await expect(setUp(false).outgoing.prepareUpgrade()).rejects.toThrow("needs a keeper");
    await expect(setUp().outgoing.prepareUpgrade()).rejects.toThrow("no requests are answered yet");
  });

  it("ends a version that is not ready, and may be tried again", async () => {
    const { outgoing, since, world } = at;
    await settled();
    since();
    await expect(outgoing.prepareUpgrade()).rejects.toThrow("not ready in 10 s; the running version goes on");
    expect(since()).toEqual(["listen /run/1.sock", "ask for next", "end next"]);
    world.next = { version: "2", isReady: true };
    expect(await outgoing.prepareUpgrade()).toBe("2");
    await expect(outgoing.prepareUpgrade()).rejects.toThrow("under way");
  });

  it("takes the place of a standby, which is of the version that runs", async () => {
    const { outgoing, clock, since, world, events } = at;
    await outgoing.standBy();
    world.isThere = true;
    world.next = { version: "2", isReady: true };
    await settled();
    since();
    await outgoing.prepareUpgrade();
    expect(since()).toEqual(["end next", "gone", "ask for next"]);
    events()?.onLeft();
    await clock.advance(2_000);
    expect(since()).not.toContain("ask for next");
  });

  it("lets the next process begin after 100 ms at most, and tells lookups when all is answered", async () => {
    const { outgoing, clock, since, world } = at;
    await outgoing.standBy();
    await settled();
    since();
    outgoing.handOver();
    await clock.advance(99);
    expect(since()).toEqual(["drain"]);
    await clock.advance(1);
    expect(since()).toEqual(["begin"]);
    world.drained(true);
    await outgoing.handedOver;
    await settled();
    expect(since()).toEqual(["over [[3,1]]", "close"]);
    outgoing.changed(SNAPSHOT);
    await clock.advance(5_000);
    expect(since()).toEqual([]); // the next process writes
  });

  it("kills this process when workers do not leave", async () => {
    const { outgoing, since, world } = at;
    outgoing.handOver();
    world.drained(false);
    await outgoing.handedOver;
    expect(since()).toContain("kill");
  });
});

describe("a standby", () => {
  it("that has gone is replaced a second later, until the session is over", async () => {
    const { outgoing, clock, serve, since, events } = setUp();
    serve();
    await outgoing.standBy();
    await clock.advance(500);
    since();
    events()?.onLeft();
    await clock.advance(999);
    expect(since()).toEqual([]);
    await clock.advance(1);
    expect(since()).toEqual(["ask for next"]);
    events()?.onLeft();
    outgoing.end();
    await clock.advance(2_000);
    expect(since()).toEqual(["remove", "close"]);
  });
});
