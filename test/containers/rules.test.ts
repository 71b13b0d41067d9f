import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const DOCS = fileURLToPath(new URL("../../docs/containers/", import.meta.url));

it.each([
  ["check", "rules.yml", "SUCCESS: 6 rules found"],
  ["test", "rules.test.yml", "SUCCESS"],
])("promtool passes the snapshotter's alert rules: %s", (how, file, want) => {
  const { status, stdout } = spawnSync("promtool", [how, "rules", file], { cwd: DOCS, encoding: "utf8" });
  expect(status).toBe(0);
  expect(stdout).toContain(want);
});
