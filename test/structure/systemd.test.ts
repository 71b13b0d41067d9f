import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const UNITS = fileURLToPath(new URL("../../docs/systemd/", import.meta.url));
const COMMAND = fileURLToPath(new URL("../../bin/nydusd-ts.mjs", import.meta.url));

/** What systemd has to say about a unit that names a command which is here. */
function verify(name: string, change = (text: string) => text): { status: number | null; stderr: string } {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-units-"));
  try {
    const command = join(dir, "nydusd-ts"); // units have a quoting of their own for blanks in the clone's path
    symlinkSync(COMMAND, command);
    const text = readFileSync(join(UNITS, name), "utf8").replaceAll("/usr/bin/nydusd-ts ", `${command} `);
    const file = join(dir, name.replace("@.", "@x."));
    writeFileSync(file, change(text));
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], {
      encoding: "utf8",
    });
    // It also reads the units of the machine, which are no matter of ours.
    const ours = stderr.split("\n").filter((line) => line.includes("nydusd-ts"));
    return { status, stderr: ours.join("\n") };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe("docs/systemd", () => {
  const names = readdirSync(UNITS).filter((name) => /^nydusd-ts.*\.service$/.test(name));
  it("has units", () => expect(names.sort()).toEqual(["nydusd-ts.service", "nydusd-ts@.service"]));
  it.each(names)("%s is right", (name) => expect(verify(name)).toEqual({ status: 0, stderr: "" }));
  it("what is wrong would be told", () =>
    expect(
      verify(names[0], (text) => text.replace("KillMode=process", "KillMode=none-such")).stderr,
    ).toContain("kill mode"));
  it.each(names)("%s names man pages that are here", (name) => {
    const [, pages = ""] = /^Documentation=(.*)$/m.exec(readFileSync(join(UNITS, name), "utf8")) ?? [];
    const files = pages.split(" ").map((page) => page.replace(/^man:(.*)\((\d)\)$/, "../man/$1.$2"));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(join(UNITS, file)))).toEqual([]);
  });
  it.each(names)("%s: who serves outlives the keeper, and memory that is short", (name) => {
    const text = readFileSync(join(UNITS, name), "utf8");
    for (const line of ["KillMode=process", "OOMPolicy=continue", "ExecReload=/bin/kill -HUP $MAINPID"])
      expect(text).toContain(`\n${line}\n`);
  });
});
