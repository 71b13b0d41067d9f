import type { SnapshotRecord } from "../../src/snapshotter/record.ts";
import { SnapshotRecords } from "../../src/snapshotter/records.ts";

/*
 * Makes snapshots, changes and removes them, over and over, until it is killed: for tests that cut it off. Says what it is about to
 * do, and what was done when it is promised: "making <id>", "made <id>", "removing <id>", "removed <id>".
 */
const [root = ""] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const records = SnapshotRecords.open(root, 0);
say("open");
const kept: SnapshotRecord[] = [];
for (let i = 0; ; i++) {
  const id = records.nextId();
  const times = { createdAt: i, updatedAt: i };
  const record: SnapshotRecord = {
    ...{ id, key: `ns/${id}/${"key".repeat(i % 100)}`, kind: "committed", parent: "" },
    ...{ labels: { id: `${id}` }, isExtract: false, size: id, inodes: 1, ...times },
  };
  say(`making ${id}`);
  await records.put(record);
  say(`made ${id}`);
  kept.push(record);
  const gone = i % 3 === 2 ? kept.shift() : undefined;
  if (gone !== undefined) {
    say(`removing ${gone.id}`);
    await records.remove(gone);
    say(`removed ${gone.id}`);
  }
}
