import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { beforeAll, describe, expect, it } from "vitest";
import { checkGiven, givenForDaemon, nameOf } from "../../bin/check-given.ts";
import type { Given } from "../../bin/given.ts";
import { MOUNT_OPTIONS, SOURCE_OPTIONS } from "../../bin/mount-options.ts";
import { mustHonour } from "../../src/daemon/mount-backend.ts";
import { definitions } from "../docs/programs.ts";

/** What becomes of an option where something shows the image: it acts, a warning says that it does not, or it is refused. */
type Verdict = "acts" | "told" | "refused";
type Row = readonly [erofs: Verdict, direct: Verdict, native: Verdict, shownBy: string];

const ALL = ["acts", "acts", "acts"] as const;
const DAEMON = ["refused", "acts", "acts"] as const;
const DIRECT = ["refused", "acts", "told"] as const;

/** Every option of `mount`, and of `fuse` but for the two that are its arguments, with a test that shows what it does. */
const TABLE: Readonly<Record<string, Row>> = {
  "--driver": [...ALL, "kernel-erofs/choice"],
  "--rw": [...ALL, "mount/overlay"],
  "--cache-dir": [...ALL, "source/mount"],
  "--ref": [...ALL, "source/archives"],
  "--platform": [...ALL, "source/archives"],
  "--strict-xattrs": [...ALL, "source/strict-xattrs"],
  "--max-layer-size": [...ALL, "source/max-layer-size"],
  "--localfs-dir": [...ALL, "source/door"],
  "--blob-dir": [...ALL, "source/strangers-layout"],
  "--blob": [...ALL, "blob/locate"],
  "--config": [...ALL, "api/files"],
  "--strict": [...ALL, "erofs/odd"],
  "--force": [...ALL, "mount/mountpoint"],
  "--options": [...ALL, "mount/setuid"],
  "--log-level": [...ALL, "log/daemon"],
  "--log-file": [...ALL, "log/daemon"],
  "--log-format": [...ALL, "log/daemon"],
  "--log-rotation-size": [...ALL, "log/daemon"],
  "--rlimit-nofile": [...ALL, "faults/few-files"],
  "--prefetch": [...ALL, "mount/prefetch"],
  "--prefetch-files": [...ALL, "mount/prefetch"],
  "--prefetch-rate": [...ALL, "mount/prefetch"],
  "--prefetch-memory": [...ALL, "mount/prefetch"],
  // Documented to say what `mount` does anyway.
  "--daemonize": [...ALL, "mount/background"],
  "--foreground": [...DAEMON, "mount/overlay"],
  "--transport": [...DAEMON, "mount/prefetch"],
  "--lenient": [...DAEMON, "mount/faults"],
  "--pid-file": [...DAEMON, "handover/upgrade"],
  "--apisock": [...DAEMON, "handover/upgrade"],
  "--id": [...DAEMON, "api/socket"],
  "--file-stats": [...DAEMON, "api/files"],
  "--no-keeper": [...DAEMON, "handover/keeper"],
  "--verity": [...DAEMON, "mount/verity"],
  "--verity-key": [...DAEMON, "mount/verity"],
  "--verity-tree": [...DAEMON, "mount/verity"],
  "--metrics-address": [...DAEMON, "mount/metrics"],
  "--hung-after": [...DAEMON, "mount/metrics"],
  "--trace": [...DAEMON, "mount/prefetch"],
  // fuse-native shows one image, at the root, and mounts by a program of another user.
  "--virtual-mountpoint": ["refused", "acts", "refused", "mount/submounts"],
  "--user": ["refused", "acts", "refused", "mount/become-user"],
  "--fuse-threads": [...DIRECT, "mount/slow-tar"],
  "--push": [...DIRECT, "mount/push"],
  "--low-latency": [...DIRECT, "mount/low-latency"],
  "--supervisor": [...DIRECT, "handover/supervisor"],
  "--upgrade": [...DIRECT, "handover/supervisor"],
  "--recover": [...DIRECT, "handover/crash"],
  "--standby": [...DIRECT, "handover/crash"],
  "--failover-policy": [...DIRECT, "handover/in-flight"],
  "--state-dir": [...DIRECT, "handover/crash"],
  // Of nydusd, and named with what does the same.
  "--writable": ["refused", "refused", "refused", "mount/command-line"],
  "--shared-dir": ["refused", "refused", "refused", "mount/command-line"],
};

const VALUES: Readonly<Record<string, unknown>> = { "--push": "on", "--virtual-mountpoint": "/v" };
const OPTIONS = new Map([...SOURCE_OPTIONS, ...MOUNT_OPTIONS].map((each) => [nameOf(each.flags), each]));

/** The option, with what it needs, for an image. */
function given(name: string, more: Given): Given {
  const needed = (one: string): string[] => [one, ...(OPTIONS.get(one)?.needs ?? []).flatMap(needed)];
  return new Map<string, unknown>([
    ["--bootstrap", "x"],
    ...needed(name).map((each): [string, unknown] => [each, VALUES[each] ?? "x"]),
    ...(OPTIONS.get(name)?.wants === undefined ? [] : [[OPTIONS.get(name)?.wants ?? "", "x"] as const]),
    ...more,
  ]);
}

function verdict(name: string, driver: "erofs" | "fuse", more: Given, isNative: boolean): Verdict {
  if (!OPTIONS.has(name)) return "refused"; // see `addMountOptions`
  const all = given(name, new Map([["--driver", driver], ...more]));
  try {
    mustHonour(driver, givenForDaemon(all), []);
    return checkGiven(all, isNative).some((line) => line.startsWith(name)) ? "told" : "acts";
  } catch {
    return "refused";
  }
}

let commands: readonly Command[];
beforeAll(async () => {
  commands = (await definitions())[0].commands;
});
const optionsOf = (name: string): string[] =>
  commands.find((each) => each.name() === name)?.options.map(({ long }) => long ?? "") ?? [];

describe("every option of mount", () => {
  it("has a row, and so has every one of fuse", () => {
    expect(optionsOf("mount").sort()).toEqual(Object.keys(TABLE).sort());
    const own = new Set(["--bootstrap", "--mountpoint"]);
    expect(optionsOf("fuse").filter((name) => !own.has(name) && !(name in TABLE))).toEqual([]);
  });

  it.each(Object.entries(TABLE))("%s is honoured, told of, or refused by each driver", (name, row) => {
    const native = new Map(name === "--transport" ? [] : [["--transport", "fuse-native"]]);
    const [erofs, direct, onNative, shownBy] = row;
    expect([
      verdict(name, "erofs", new Map(), false),
      verdict(name, "fuse", new Map(), false),
      verdict(name, "fuse", native, true),
    ]).toEqual([erofs, direct, onNative]);
    const test = readFileSync(fileURLToPath(new URL(`../${shownBy}.test.ts`, import.meta.url)), "utf8");
    const { short, long } =
      commands.flatMap(({ options }) => options).find((each) => each.long === name) ?? {};
    const isNamed = [name, long, short, name === "--fuse-threads" ? "--thread-num" : undefined].some(
      (word) => word !== undefined && new RegExp(`(?<![\\w-])${word}(?![\\w-])`).test(test),
    );
    expect({ shownBy, isNamed }).toEqual({ shownBy, isNamed: true });
  });
});
