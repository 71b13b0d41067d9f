import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { SHARED } from "./vitest.config.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Soaks, fuzzing and many rounds of the same: what asks how often, see support/often.ts. */
const LONG = readdirSync(HERE, { recursive: true, encoding: "utf8" }).filter(
  (path) => path.endsWith(".test.ts") && readFileSync(`${HERE}${path}`, "utf8").includes("/support/often.ts"),
);

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    ...SHARED,
    env: { ...SHARED?.env, NYDUSD_TS_LONG: "1" },
    reporters: ["default", "./test/support/left-out.ts"],
    include: LONG.map((path) => `test/${path}`),
    // Their bounds of memory and of the longest operation want a machine that does little else.
    maxWorkers: 2,
  },
});
