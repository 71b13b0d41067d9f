import { describe, expect, it } from "vitest";
import { Lifecycle, type Served, type SessionObserver } from "../../src/daemon/lifecycle.ts";
import type { Logger } from "../../src/log/log.ts";
import type { Ended } from "../../src/session/ended.ts";

const UNMOUNTED: Ended = { how: "unmounted", message: "" };

/** A session that does nothing, observers that note what they are told, and a log of errors. */
function setUp(observers: Record<string, SessionObserver>) {
  const heard: string[] = [];
  const errors: string[] = [];
  let end: (how: Ended) => void = () => {};
  const session = {
    ended: new Promise<Ended>((resolve) => {
      end = resolve;
    }),
    stop: async () => {
      heard.push("session.stop");
      end(UNMOUNTED);
    },
  };
  const noted = Object.entries(observers).map(
    ([name, { ready, stopping, amendEnd, ended }]): SessionObserver => ({
      ready: (served) => {
        heard.push(`${name}.ready`);
        return ready?.(served);
      },
      stopping: () => {
        heard.push(`${name}.stopping`);
        return stopping?.();
      },
      ...(amendEnd && { amendEnd }),
      ended: (how) => {
        heard.push(`${name}.ended ${how.how}`);
        return ended?.(how);
      },
    }),
  );
  const log = { error: (message: string) => errors.push(message) } as unknown as Logger;
  const lifecycle = new Lifecycle({ session } as unknown as Served, noted, log);
  return { heard, errors, lifecycle, end: (how: Ended) => end(how) };
}

describe("Lifecycle", () => {
  it("tells observers in their order, and stops the session after they were told", async () => {
    const { heard, lifecycle } = setUp({ a: {}, b: {} });
    await lifecycle.ready();
    await lifecycle.stop();
    expect(await lifecycle.ended).toEqual(UNMOUNTED);
    expect(heard).toEqual([
      ...["a.ready", "b.ready", "a.stopping", "b.stopping", "session.stop"],
      ...["a.ended unmounted", "b.ended unmounted"],
    ]);
  });

  it("tells of stopping once, and passes every stop on to the session", async () => {
    const { heard, lifecycle } = setUp({ a: {} });
    await lifecycle.ready();
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    expect(heard.filter((each) => each === "a.stopping")).toHaveLength(1);
    expect(heard.filter((each) => each === "session.stop")).toHaveLength(2);
  });

  it("tells all of stopping at once, and stops the session when the slowest is done", async () => {
    let done = () => {};
    const slow = new Promise<void>((resolve) => {
      done = resolve;
    });
    const { heard, lifecycle } = setUp({ a: { stopping: () => slow }, b: {} });
    await lifecycle.ready();
    const stopped = lifecycle.stop();
    expect(heard.slice(2)).toEqual(["a.stopping", "b.stopping"]);
    done();
    await stopped;
    expect(heard[4]).toBe("session.stop");
  });

  it("ends the session when an observer is not ready, and tells only those that were told of it", async () => {
    const { heard, lifecycle } = setUp({
      a: {},
      b: {
        ready: () => {
          throw new Error("no overlay");
        },
      },
      c: {},
    });
    await expect(lifecycle.ready()).rejects.toThrow("no overlay");
    expect(heard).toEqual([
      ...["a.ready", "b.ready", "a.stopping", "b.stopping", "session.stop"],
      ...["a.ended unmounted", "b.ended unmounted"],
    ]);
  });

  it("lets an observer say how the session ended, and tells all so", async () => {
    const { heard, lifecycle, end } = setUp({
      a: { amendEnd: async () => ({ how: "aborted", message: "" }) },
      b: {},
    });
    await lifecycle.ready();
    end(UNMOUNTED);
    expect(await lifecycle.ended).toEqual({ how: "aborted", message: "" });
    expect(heard.slice(2)).toEqual(["a.ended aborted", "b.ended aborted"]);
  });

  it("logs what an observer throws at the end, and tells the others all the same", async () => {
    const { heard, errors, lifecycle, end } = setUp({
      a: { ended: () => Promise.reject(new Error("disk full")) },
      b: {},
    });
    await lifecycle.ready();
    end(UNMOUNTED);
    expect(await lifecycle.ended).toEqual(UNMOUNTED);
    expect([heard.at(-1), errors]).toEqual(["b.ended unmounted", ["disk full"]]);
  });

  it("tells of an end that came while observers were being told only afterwards", async () => {
    const { heard, lifecycle, end } = setUp({ a: { ready: () => end(UNMOUNTED) }, b: {} });
    await lifecycle.ready();
    await lifecycle.ended;
    expect(heard).toEqual(["a.ready", "b.ready", "a.ended unmounted", "b.ended unmounted"]);
  });
});
