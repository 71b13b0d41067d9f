import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SnapshotRecords } from "../../src/snapshotter/records.ts";
import { Random } from "../fuzz/random.ts";
import { crashDisk, isStopped } from "../support/crash-disk.ts";
import { launch, until } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const RECORDER = fileURLToPath(new URL("../../dist/test/snapshotter/recorder.js", import.meta.url));
const CUTS = 20;

/** Ids that are there for certain, and those that may be or not. */
function promised(said: readonly string[]) {
  const [there, open] = [new Set<number>(), new Set<number>()];
  for (const line of said) {
    const [what, digits] = line.split(" ");
    const id = Number(digits);
    if (what === "making" || what === "removing") open.add(id);
    if (what === "removing" || what === "removed") there.delete(id);
    if (what === "made") there.add(id);
    if (what === "made" || what === "removed") open.delete(id);
  }
  return { there, open };
}

describe("a power loss", () => {
  needs(existsSync("/dev/loop-control") ? undefined : "there is no /dev/loop-control");

  it("leaves every snapshot as it was promised", async () => {
    const random = new Random(20);
    const disk = crashDisk();
    mkdirSync(join(disk.directory, "root"));
    const recorder = launch(process.execPath, [RECORDER, join(disk.directory, "root")]);
    let text = "";
    recorder.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    await until(() => text.startsWith("open\n"), "the records");
    const copies: { copy: string; said: readonly string[] }[] = [];
    for (let i = 0; i < CUTS; i++) {
      await setTimeout(random.below(60));
      recorder.kill("SIGSTOP");
      await until(() => isStopped(recorder.pid ?? 0), "that it stops");
      const copy = disk.cut(random.once(2));
      await setTimeout(20); // what it has said before is heard
      copies.push({ copy, said: text.slice(0, text.lastIndexOf("\n")).split("\n") });
      recorder.kill("SIGCONT");
    }
    recorder.kill("SIGKILL");
    await until(() => recorder.signalCode !== null, "its end");
    disk.end();
    for (const { copy, said } of copies) {
      const { there, open } = promised(said);
      await disk.looking(copy, async (directory) => {
        const records = SnapshotRecords.open(join(directory, "root"), 0);
        try {
          const found = [...records.all()];
          const ids = found.map(({ id }) => id).filter((id) => !open.has(id));
          expect(ids.sort((a, b) => a - b)).toEqual([...there].sort((a, b) => a - b));
          for (const { id, labels, size } of found) expect([labels, size]).toEqual([{ id: `${id}` }, id]);
        } finally {
          await records.close();
        }
      });
    }
  });
});
