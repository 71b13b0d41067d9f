import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hashWords } from "../../src/daemon/verity-root.ts";
import { sh, workDir } from "../support/daemon.ts";

const SPOILT = [
  ["a fifo that nobody writes to", 'mkfifo "$F"', "not a regular file"],
  ["a device without end", 'ln -s /dev/zero "$F"', "not a regular file"],
  ["more than words are", 'truncate -s 4G "$F"', "4294967296 bytes is too long (limit: 65536)"],
] as const;

describe("the words that come with an image may be anybody's", () => {
  it.each(SPOILT)("%s", (_, script, problem) => {
    const file = join(workDir(), "words");
    sh(script, { F: file });
    expect(() => hashWords({ verity: file })).toThrow(`${file}: ${problem}`);
  });

  it.each(SPOILT)("and their signature: %s", (_, script, problem) => {
    const file = join(workDir(), "words");
    writeFileSync(file, "");
    sh(script, { F: `${file}.sig` });
    expect(() => hashWords({ verity: file, verityKey: file })).toThrow(`${file}.sig: ${problem}`);
  });
});
