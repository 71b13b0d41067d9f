import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { rootfsOf } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { base } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { type OciImage, ociImage } from "../support/containers/oci-image.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { type Both, startBoth } from "../support/containers/snapshotter.ts";
import { ask, kill, mentioning, until } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { often } from "../support/often.ts";

const CONTAINERS = often("NYDUSD_TS_READERS", 4, 30);
const KILLS = often("NYDUSD_TS_READERS_KILLS", 1, 4);
const FILES = 40;
const FILE_BYTES = 100_000;

/** Files, and their sums as sha256sum(1) checks them. */
function checkedImage(): OciImage {
  const files = Array.from({ length: FILES }, (_, i) => ({
    name: `opt/${i}`,
    data: randomBytes(FILE_BYTES),
  }));
  const sums = files.map(
    ({ name, data }) => `${createHash("sha256").update(data).digest("hex")}  /${name}\n`,
  );
  return ociImage([
    { tar: base() },
    {
      tar: tarOf([
        { name: "opt/", type: "5" },
        ...files.map(({ name, data }) => ({ name, data: data.toString("latin1") })),
        { name: "opt/sums", data: sums.join("") },
      ]),
    },
  ]);
}

/** Checks all files for ever; says how often it has, and what was wrong. */
const READER = `while :; do
  sha256sum -c /opt/sums >/tmp/out 2>&1 || cat /tmp/out >>/tmp/wrong
  echo >>/tmp/rounds
done`;

interface Driver {
  readonly name: string;
  readonly words: readonly string[];
  /** Whom else to kill. */
  readonly daemons: (both: Both) => readonly number[];
}
const DRIVERS: readonly Driver[] = [
  { name: "the kernel", words: [], daemons: () => [] },
  {
    name: "FUSE",
    words: ["--driver", "fuse"],
    daemons: ({ snapshotter }) =>
      mentioning(join(snapshotter.root, "mnt"))
        .map(Number)
        // Their keeper, a shell, starts the next one.
        .filter((pid) => readFileSync(`/proc/${pid}/comm`, "latin1") !== "sh\n"),
  },
];

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it.each(DRIVERS)(
    `has ${CONTAINERS} containers read right bytes by $name while everybody is killed`,
    async ({ words, daemons }) => {
      const both = await startBoth(engine, {}, words);
      const { containerd, snapshotter } = both;
      const before = filesOf(both);
      const name = await LOCAL_IMPORT.get(containerd, checkedImage(), PROXY);
      const ids = Array.from({ length: CONTAINERS }, (_, i) => `c${i}`);
      // All of them together have as much of the CPUs as one other process: what else runs is not to starve.
      const run = ["run", "--detach", "--cpu-shares", "32", "--snapshotter", PROXY, name];
      for (const id of ids) await containerd.ask(...run, id, "/bin/sh", "-c", READER);
      const said = (id: string, file: string) => {
        const path = join(rootfsOf(containerd, id), "tmp", file);
        return existsSync(path) ? readFileSync(path, "utf8") : "";
      };
      const everybodyReads = async () => {
        // Out of the page cache, as far as nobody reads them at this moment.
        await ask(
          'for file in "$1"/opt/*; do dd if="$file" iflag=nocache count=0 status=none; done',
          rootfsOf(containerd, "c0"),
        );
        const rounds = ids.map((id) => said(id, "rounds").length);
        await until(
          () => ids.every((id, i) => said(id, "rounds").length > rounds[i] + 1),
          "two rounds of all",
        );
      };
      await everybodyReads();
      for (let i = 0; i < KILLS; i++) {
        const pids = daemons(both);
        expect(pids.length > 0).toBe(words.length > 0);
        for (const pid of pids) kill(pid);
        await everybodyReads();
        await Promise.all([containerd.end(), snapshotter.end("SIGKILL")]);
        await snapshotter.start();
        await containerd.start();
        await everybodyReads();
      }
      expect(ids.map((id) => said(id, "wrong"))).toEqual(ids.map(() => ""));
      await removeAll(both);
      await expectNothingLeft(both, before);
    },
  );
});
