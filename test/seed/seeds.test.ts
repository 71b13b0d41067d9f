import { describe, expect, it } from "vitest";
import { HeldFiles } from "../../src/blob/held-files.ts";
import { freshSeed } from "../../src/seed/fresh.ts";
import { IncomingSession } from "../../src/seed/incoming.ts";
import type { ImageTable } from "../../src/session/image-table.ts";
import type { ImageAt } from "../../src/session/seed.ts";
import type { SessionSnapshot } from "../../src/session/snapshot.ts";
import { newLog } from "../session/support.ts";

/** An image as far as a seed looks at it. */
const image = (names: readonly string[], hasXattrs: boolean, hasAcls: boolean): ImageAt =>
  ({ names, pinned: { source: "/i.boot", image: { handle: { hasXattrs, hasAcls } } } }) as unknown as ImageAt;

describe("freshSeed", () => {
  const all = { hasXattrs: true, hasAcls: true };
  const none = { hasXattrs: false, hasAcls: false };
  const cases = [
    {
      name: "one plain image for good",
      first: image([], false, false),
      mayChange: false,
      traits: none,
      isFixed: true,
    },
    {
      name: "one image with xattrs for good",
      ...{
        first: image([], true, false),
        mayChange: false,
        traits: { ...all, hasAcls: false },
        isFixed: true,
      },
    },
    {
      name: "a plain image at the root that others may follow: xattrs, but no ACLs, are asked for",
      ...{
        first: image([], false, false),
        mayChange: true,
        traits: { ...all, hasAcls: false },
        isFixed: false,
      },
    },
    {
      name: "an image below the root, beside which others may be",
      ...{ first: image(["a"], false, false), mayChange: true, traits: all, isFixed: false },
    },
    { name: "no image yet", first: undefined, mayChange: true, traits: all, isFixed: false },
  ];
  it.each(cases)("agrees on $traits for $name", ({ first, mayChange, traits, isFixed }) => {
    const held = new HeldFiles();
    const options = { mayChange, mountOptions: [], owner: undefined, device: 99, log: newLog() };
    const seed = freshSeed(
      { mountpoint: "/", held, maxOpen: 4, first, name: undefined, claim: { release: () => {} } },
      options,
    );
    expect(seed).toMatchObject({ device: 99, agreed: undefined, takeovers: { all: 0, crashes: 0 } });
    expect(seed.terms).toMatchObject({ traits, isFixed });
    const filled: unknown[] = [];
    seed.fill({ mountFirst: (...image: unknown[]) => filled.push(image) } as unknown as ImageTable);
    expect(filled).toEqual(first === undefined ? [] : [[first.names, first.pinned, undefined]]);
  });
});

describe("IncomingSession", () => {
  const snapshot = (device: string | undefined): SessionSnapshot => ({
    ...{ mountpoint: "/no/such/mount", device, lastUnique: 8, isFixed: false, since: 5 },
    ...{ agreed: { minor: 45, maxRead: 65_536 }, traits: { hasXattrs: true, hasAcls: false } },
    ...{ takeovers: { all: 3, crashes: 1 }, places: [], images: [], entries: [], counts: [], burnt: [] },
    ...{ lastDirectory: 0, lastCookie: 0, serial: 0 },
  });
  const incoming = () => new IncomingSession(2, 98, () => undefined, newLog());

  it("goes on after a handover by what was agreed, and counts it", () => {
    const seed = incoming().afterHandover(snapshot("0:50"));
    expect(seed).toMatchObject({
      ...{ device: 98, agreed: { minor: 45, maxRead: 65_536 }, takeovers: { all: 4, crashes: 1 } },
      terms: { maxRead: 65_536, traits: { hasXattrs: true, hasAcls: false }, isFixed: false, since: 5 },
    });
    expect(seed.attach()).toBe("0:50");
  });

  it("counts a death, and leaves requests alone by the policy none", () => {
    const seed = incoming().afterDeath(snapshot("0:50"), "none");
    expect(seed?.takeovers).toEqual({ all: 4, crashes: 2 });
    expect(seed?.attach()).toBe("0:50");
  });

  it("has nothing to go on with when the process died before it had mounted", () => {
    expect(incoming().afterDeath(snapshot(undefined), "none")).toBeUndefined();
    expect(incoming().afterDeath(snapshot(""), "none")).toBeUndefined(); // as older versions write it
  });

  it("refuses a session none of whose images can be opened", () => {
    const log = newLog();
    const file = { path: "/no/such/file", size: 1, dev: 1, ino: 1, born: 1, mtime: 1, ctime: 1 };
    const lost = { ...snapshot("0:50"), images: [{ serial: 1, source: "/i.boot", files: [file] }] };
    const session = new IncomingSession(2, 98, () => undefined, log);
    expect(() => session.afterHandover(lost as unknown as SessionSnapshot)).toThrow("none of the images");
    expect(log.lines[0]).toContain("its files answer ESTALE from now on");
  });
});
