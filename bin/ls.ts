import type { Command } from "commander";
import { shown } from "../src/bytes/escape-control-chars.ts";
import type { ListedMount } from "../src/daemon/list-mounts.ts";
import { withExamples } from "./help.ts";
import { say } from "./say.ts";

/** `nydusd-ts ls`: what is mounted. */
export function addLs(program: Command): void {
  withExamples(program.command("ls"), "nydusd-ts ls --json")
    .description(
      "list the mounts of nydusd-ts: what is mounted where, by which driver and process, since when",
    )
    .option("--json", "as JSON", false)
    .action(async ({ json }: { json: boolean }) => {
      const { listMounts } = await import("../src/daemon/list-mounts.ts");
      const mounts = listMounts();
      if (json) say(JSON.stringify(mounts, null, 2));
      else if (mounts.length > 0) say(table(mounts));
    });
}

const HEAD = ["MOUNTPOINT", "SOURCE", "DRIVER", "MODE", "PID", "SINCE"];

function table(mounts: readonly ListedMount[]): string {
  const rows = mounts.map(({ mountpoint, source, driver, rw, pid, since }) =>
    [mountpoint, source, driver, rw ? "rw" : "ro", `${pid ?? "-"}`, since ?? "-"].map(shown),
  );
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ");
  return all.map((row) => line(row).trimEnd()).join("\n");
}
