import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { HeldFiles } from "../../src/blob/held-files.ts";
import { restoreOutstanding } from "../../src/fuse/nlookup.ts";
import { namesOf } from "../../src/pseudo/pseudo-tree.ts";
import { NO_FILE_RECORDS } from "../../src/session/file-records.ts";
import { ImageTable } from "../../src/session/image-table.ts";
import { NotWrittenDown } from "../../src/session/not-written-down.ts";
import type { MountObstacle } from "../../src/session/mount-obstacle.ts";
import { openAndPin, type PinnedImage, unpinImage } from "../../src/session/pinned-image.ts";
import { OP } from "../../src/vfs/opcodes.ts";
import { dir, file } from "../mkfs/support.ts";
import { type Held, KernelModel } from "./kernel.ts";
import { imageVersions, type ImageVersions, ManualClock, newLog, newPublisher } from "./support.ts";

let versions: ImageVersions;
beforeAll(async () => {
  versions = await imageVersions(
    [dir("./"), dir("d/"), file("same", "same"), file("x", "first"), file("d/y", "y of the first")],
    [file("x", "second")],
    [file("x", "third"), file("d/y", "y of the third")],
  );
});

/** What is in each version, by path. */
const CONTENT = [
  { same: "same", x: "first", "d/y": "y of the first" },
  { same: "same", x: "second", "d/y": "y of the first" },
  { same: "same", x: "third", "d/y": "y of the third" },
] as const;
const FILES = ["same", "x", "d/y"] as const;

/** A session of one worker without a device. */
class Session {
  readonly clock = new ManualClock();
  readonly log = newLog();
  readonly held = new HeldFiles();
  readonly table: ImageTable;
  readonly kernel: KernelModel;
  readonly written: Buffer[];
  /** What is to happen before an image is freed, and while workers stop using it. */
  beforeFree: () => Promise<void> = async () => {};
  whileFreed: () => void = () => {};
  isDiskFull = false;
  /** Says what the worker is in: an opcode, or 0 for none. */
  readonly setRequest: (opcode: number) => void;

  constructor() {
    const { publisher, control, inflightTable, written, setRequest } = newPublisher(1, this.clock);
    this.setRequest = (opcode) => setRequest(0, opcode);
    this.written = written;
    this.table = new ImageTable({
      limit: 1,
      push: false,
      held: this.held,
      publisher: {
        publish: (change) => {
          if (change.tree.freed.length > 0) this.whileFreed();
          return publisher.publish(change);
        },
        synchronize: (number, most) => publisher.synchronize(number, most),
        notify: (messages) => publisher.notify(messages),
      },
      beforeFree: () => this.beforeFree(),
      beforeChange: () => {
        if (this.isDiskFull) throw new NotWrittenDown("full");
      },
      log: this.log,
      clock: this.clock,
    });
    this.kernel = new KernelModel(this.table, publisher, control, inflightTable);
  }

  pin(version: number): PinnedImage {
    const places = { dirs: [versions.dir], files: new Map<string, string>() };
    const bootstrap = versions.boots[version];
    const choice = {
      bootstrap,
      places,
      lenient: false,
      id: "",
      records: NO_FILE_RECORDS,
      prefetch: undefined,
    };
    return openAndPin(choice, this.held, this.log);
  }

  /** @returns the obstacle, if there is one */
  async change(how: "mount" | "remount", path: string, version: number): Promise<string | undefined> {
    const pinned = this.pin(version);
    try {
      await this.table[how](namesOf(path) ?? [], pinned);
      return undefined;
    } catch (error) {
      await unpinImage(pinned, this.held);
      return (error as MountObstacle).obstacle;
    }
  }

  async unmount(path: string): Promise<string | undefined> {
    return this.table.unmount(namesOf(path) ?? []).then(
      () => undefined,
      (error: MountObstacle) => error.obstacle,
    );
  }

  open(path: string): Held {
    const opened = this.kernel.open(path);
    if (opened === undefined) throw new Error(`${path}: not there`);
    return opened;
  }

  slots(): number[] {
    return this.table.slots.all().map(({ placed }) => placed.slot);
  }
}

describe("an image that is unmounted", () => {
  it("keeps its slot until the kernel has forgotten the last of its nodes", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    const x = s.open("/a/x");
    const same = s.open("/a/same");
    await s.unmount("/a");
    await s.change("mount", "/b", 1);
    expect(s.slots()).toEqual([1, 2]);
    await s.clock.advance(60_000);
    expect([s.kernel.open("/a"), s.kernel.read(x.node)]).toEqual([undefined, "first"]);
    s.kernel.forget(x.node);
    await s.clock.advance(60_000);
    expect([s.slots(), s.kernel.read(same.node)]).toEqual([[1, 2], "same"]);
    s.kernel.forget(same.node);
    await s.clock.advance(100);
    expect(s.slots()).toEqual([2]);
    await s.change("mount", "/c", 2);
    expect(s.slots()).toEqual([1, 2]);
    s.kernel.close();
  });

  it("is asked after by the kernel's cache after 1 s, then 2 s, then 4 s", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    const x = s.open("/a/x");
    await s.unmount("/a");
    const asked: number[] = [];
    for (let ms = 0; ms < 8_000; ms += 100) {
      const before = s.written.length;
      await s.clock.advance(100);
      if (s.written.length > before) asked.push(ms + 100);
    }
    expect(asked).toEqual([1_000, 3_000, 7_000]);
    s.kernel.forget(x.node);
    s.kernel.close();
  });

  it("loses its slot for good when a lookup comes while workers stop using it", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    const [instance] = s.table.slots.all();
    s.whileFreed = () => restoreOutstanding(instance.shared.nlookup, 1);
    await s.unmount("/a");
    await s.clock.advance(100);
    expect([s.slots(), s.table.slots.retired]).toEqual([[], [1]]);
    await s.change("mount", "/b", 1);
    expect(s.slots()).toEqual([2]);
    expect(s.table.state(true).burnt).toEqual([1]);
    s.kernel.close();
  });

  it("is not given up while a worker is in a request that it began before", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    await s.unmount("/a");
    s.setRequest(OP.LOOKUP);
    await s.clock.advance(1_000);
    expect([s.slots(), s.held.size > 0]).toEqual([[1], true]);
    s.setRequest(0);
    await s.clock.advance(200);
    expect([s.slots(), s.held.size]).toEqual([[], 0]);
    s.kernel.close();
  });

  it("is not looked at before requests are answered that began while it was shown", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    const [instance] = s.table.slots.all();
    s.setRequest(OP.LOOKUP);
    await s.unmount("/a");
    await s.clock.advance(1_000);
    restoreOutstanding(instance.shared.nlookup, 1); // the answer
    s.setRequest(0);
    await s.clock.advance(1_000);
    restoreOutstanding(instance.shared.nlookup, 0);
    await s.clock.advance(1_000);
    expect([s.slots(), s.table.slots.retired]).toEqual([[], []]);
    s.kernel.close();
  });

  it("waits again when a lookup came while its readers were stopped", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    const [instance] = s.table.slots.all();
    s.beforeFree = async () => restoreOutstanding(instance.shared.nlookup, 1);
    await s.unmount("/a");
    await s.clock.advance(1_000);
    expect(s.slots()).toEqual([1]);
    s.beforeFree = async () => {};
    restoreOutstanding(instance.shared.nlookup, 0);
    await s.clock.advance(100);
    expect(s.slots()).toEqual([]);
    s.kernel.close();
  });

  it("stays, and that is said, when giving it up fails", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    s.beforeFree = async () => {
      throw new Error("no pusher");
    };
    await s.unmount("/a");
    await s.clock.advance(1_000);
    expect(s.log.lines).toEqual(["error cannot give an image up: no pusher"]);
    expect(s.slots()).toEqual([1]);
    s.kernel.close();
  });
});

describe("an image that is remounted in place", () => {
  it("keeps the nodes of what did not change, and open files what they were", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    const [same, x] = [s.open("/a/same"), s.open("/a/x")];
    await s.change("remount", "/a", 1);
    expect(s.open("/a/same").node).toBe(same.node);
    expect(s.open("/a/x")).toMatchObject({ content: "second" });
    expect(s.kernel.read(x.node)).toBe("first");
    expect(s.open("/a/x").node).not.toBe(x.node);
    s.kernel.close();
  });

  it("keeps at most eight images before it, and those go together", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    const first = s.open("/a/x");
    for (let i = 1; i < 8; i++) await s.change("remount", "/a", i % 3);
    await s.clock.advance(1_000);
    expect(s.slots()).toHaveLength(8);
    await s.change("remount", "/a", 0);
    await s.clock.advance(1_000);
    expect([s.slots().length, s.kernel.read(first.node)]).toEqual([9, "first"]);
    s.kernel.forget(first.node);
    await s.clock.advance(100);
    expect(s.slots()).toHaveLength(1);
    s.kernel.close();
  });
});

describe("a change that cannot be written down", () => {
  const changes: [name: string, change: (s: Session) => Promise<void>][] = [
    ["a mount", (s) => s.table.mount(["c", "d"], s.pin(2))],
    ["a mount beside another", (s) => s.table.mount(["a", "z"], s.pin(2))],
    ["a remount in place", (s) => s.table.remount(["a", "b"], s.pin(1))],
    ["an unmount", (s) => s.table.unmount(["a", "b"])],
  ];
  const ready = async () => {
    const s = new Session();
    await s.change("mount", "/a/b", 0);
    await s.change("mount", "/x", 1);
    await s.change("remount", "/x", 2);
    return s;
  };
  it.each(changes)("is refused, and changes nothing: %s", async (_, change) => {
    const s = await ready();
    const x = s.open("/a/b/x");
    const before = [s.table.state(true), s.slots(), s.table.images().map(({ path }) => path)];
    s.isDiskFull = true;
    await expect(change(s)).rejects.toThrow(NotWrittenDown);
    await s.clock.advance(60_000);
    expect([s.table.state(true), s.slots(), s.table.images().map(({ path }) => path)]).toEqual(before);
    expect([s.kernel.read(x.node), s.open("/a/b/x").node, s.open("/x/x").content]).toEqual([
      "first",
      x.node,
      "third",
    ]);
    s.isDiskFull = false;
    await change(s);
    expect(s.table.state(true)).not.toEqual(before[0]);
    s.kernel.close();
  });

  it("is refused after eight remounts, too", async () => {
    const s = new Session();
    await s.change("mount", "/a", 0);
    for (let i = 1; i < 8; i++) await s.change("remount", "/a", i % 3);
    const before = s.table.state(true);
    s.isDiskFull = true;
    await expect(s.table.remount(["a"], s.pin(0))).rejects.toThrow(NotWrittenDown);
    expect(s.table.state(true)).toEqual(before);
    s.kernel.close();
  });

  it("does not keep an image that the kernel has forgotten", async () => {
    const s = await ready();
    await s.unmount("/a/b");
    s.isDiskFull = true;
    await s.clock.advance(60_000);
    expect(s.slots()).not.toContain(1);
    s.kernel.close();
  });
});

describe("another process goes on with the images", () => {
  /** A session after that of another process, whose images are opened again; serials are 0 and 1. */
  async function restored() {
    const before = new Session();
    await before.change("mount", "/a", 0);
    await before.change("mount", "/b", 1);
    const x = before.open("/b/x");
    const state = JSON.parse(JSON.stringify(before.table.state(true)));
    const s = new Session();
    s.table.restore(state, ({ serial }) => s.pin(serial));
    return { before, s, x };
  }

  it("an image stays for good while it is unknown what the kernel knows of it", async () => {
    const { s } = await restored();
    await s.unmount("/b");
    await s.clock.advance(3_600_000);
    expect([s.slots(), s.table.knownLookups(), s.clock.waiting]).toEqual([[1, 2], [], 0]);
  });

  it("the slot of an image that cannot be opened is no other's: the kernel knows nodes of it", async () => {
    const before = new Session();
    await before.change("mount", "/a", 0);
    await before.change("mount", "/b", 1);
    const s = new Session();
    s.table.restore(before.table.state(true), ({ serial }) => (serial === 0 ? undefined : s.pin(1)));
    await s.change("mount", "/c", 2);
    expect([s.slots(), s.table.state(true).burnt]).toEqual([[2, 3], [1]]);
  });

  it("an image goes when the process before said what the kernel knew, and that is forgotten", async () => {
    const { before, s, x } = await restored();
    await s.unmount("/b");
    before.kernel.forget(x.node);
    s.table.restoreLookups(new Map(before.table.knownLookups()));
    await s.clock.advance(100);
    expect(s.slots()).toEqual([1]);
  });

  it("what was unknown to the process before stays unknown", async () => {
    const { s } = await restored();
    expect(s.table.knownLookups()).toEqual([]);
    const fromOneReleaseBack = JSON.parse(JSON.stringify([[1, Number.NaN]]));
    s.table.restoreLookups(new Map(fromOneReleaseBack));
    await s.unmount("/b");
    await s.clock.advance(3_600_000);
    expect(s.slots()).toEqual([1, 2]);
  });
});

describe("mounts, remounts, unmounts, opens and forgets in any order", () => {
  const PATHS = ["/", "/a", "/a/b", "/c"] as const;
  const path = fc.constantFrom(...PATHS);
  const version = fc.nat(2);
  type Step = (model: Model) => Promise<void>;
  const step = fc.oneof(
    fc.record({ path, version }).map(
      (args): Step =>
        (model) =>
          model.mount(args),
    ),
    fc.record({ path, version }).map(
      (args): Step =>
        (model) =>
          model.remount(args),
    ),
    fc.record({ path }).map(
      (args): Step =>
        (model) =>
          model.unmount(args),
    ),
    fc.record({ path, file: fc.constantFrom(...FILES) }).map(
      (args): Step =>
        (model) =>
          model.openFile(args),
    ),
    fc.record({ which: fc.nat(20) }).map(
      (args): Step =>
        (model) =>
          model.forget(args),
    ),
    fc.record({ ms: fc.constantFrom(100, 1_000, 10_000) }).map(
      (args): Step =>
        (model) =>
          model.wait(args),
    ),
  );

  /** Why nothing can be mounted there, by what is mounted. */
  function obstacle(mounted: ReadonlyMap<string, number>, at: string): string | undefined {
    const inside = (child: string, parent: string) =>
      child !== parent && child.startsWith(parent === "/" ? "/" : `${parent}/`);
    if (mounted.has(at)) return "taken";
    if ([...mounted.keys()].some((other) => inside(at, other))) return "above";
    return [...mounted.keys()].some((other) => inside(other, at)) ? "below" : undefined;
  }

  const fileIn = (at: string, name: string) => `${at === "/" ? "" : at}/${name}`;

  /** A session, and what is to be seen of it. */
  class Model {
    readonly session = new Session();
    readonly mounted = new Map<string, number>();
    readonly open: Held[] = [];

    mount = async ({ path, version }: { path: string; version: number }) => {
      const want = obstacle(this.mounted, path);
      expect(await this.session.change("mount", path, version)).toBe(want);
      if (want === undefined) this.mounted.set(path, version);
    };

    remount = async ({ path, version }: { path: string; version: number }) => {
      const want = this.mounted.has(path) ? undefined : "not mounted";
      expect(await this.session.change("remount", path, version)).toBe(want);
      if (want === undefined) this.mounted.set(path, version);
    };

    unmount = async ({ path }: { path: string }) => {
      const isThere = this.mounted.delete(path);
      expect(await this.session.unmount(path)).toBe(isThere ? undefined : "not mounted");
    };

    openFile = async ({ path, file }: { path: string; file: (typeof FILES)[number] }) => {
      const image = this.mounted.get(path);
      const opened = this.session.kernel.open(fileIn(path, file));
      expect(opened?.content).toBe(image === undefined ? undefined : CONTENT[image][file]);
      if (opened !== undefined) this.open.push(opened);
    };

    forget = async ({ which }: { which: number }) => {
      for (const { node } of this.open.splice(which, 1)) this.session.kernel.forget(node);
    };

    wait = ({ ms }: { ms: number }) => this.session.clock.advance(ms);

    check(): void {
      for (const { node, content } of this.open) expect(this.session.kernel.read(node)).toBe(content);
      expect(this.session.table.images().map((shown) => shown.path)).toEqual([...this.mounted.keys()]);
    }

    async end(): Promise<void> {
      const { table, held, log, kernel, clock } = this.session;
      for (const { node } of this.open) kernel.forget(node);
      for (const path of this.mounted.keys()) await this.session.unmount(path);
      await clock.advance(1_000);
      expect([this.session.slots(), table.slots.retired, held.size, log.lines]).toEqual([[], [], 0, []]);
      kernel.close();
    }
  }

  it("each path shows its image, each open file what it was, and nothing is left at last", async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const model = new Model();
      for (const take of steps) {
        await take(model);
        model.check();
      }
      await model.end();
    });
    await fc.assert(property, { numRuns: 100 });
  });
});
