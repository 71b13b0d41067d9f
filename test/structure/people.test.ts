import { expect, it } from "vitest";
import { sourceFiles } from "./imports.ts";

/** Who may write to standard output and error by itself, and why. */
const MAY = new Map([
  ["bin/say.ts", "the one that escapes"],
  ["src/atomic-file/output.ts", "bytes of an archive, for programs"],
  ["src/syscalls/private-root.ts", "a program of its own, whose errors are read by the one that starts it"],
]);
const WRITES = /process\.std(out|err)\.(write|end)\b|console\.\w+\(|writeSync\((1|2|STDOUT|STDERR)\b/;

it("one place writes for people, and escapes", () => {
  const found = sourceFiles()
    .filter(({ text }) => WRITES.test(text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "")))
    .map(({ path }) => path);
  expect(found.sort()).toEqual([...MAY.keys()].sort());
});
