import { basename } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { cacheDirectory } from "../src/bytes/user-directories.ts";
import type { CacheFile } from "../src/source/cache-contents.ts";
import { withExamples } from "./help.ts";
import { mib } from "./progress.ts";
import { say, sayLine } from "./say.ts";

interface Flags {
  readonly cacheDir: string;
}
interface GcFlags extends Flags {
  readonly olderThan: number;
  readonly dryRun: boolean;
}

const UNIT = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** `nydusd-ts cache`: what `mount` keeps for the next time. */
export function addCache(program: Command): void {
  const cache = program.command("cache").description("list or clear what mount keeps for the next time");
  withExamples(cache.command("ls"), "nydusd-ts cache ls --json")
    .description("list images, layers and tars, the most recently used first")
    .option("--cache-dir <dir>", "where they are kept", cacheDirectory())
    .option("--json", "one JSON document", false)
    .action(async ({ cacheDir, json }: Flags & { json: boolean }) => {
      const { cacheContents } = await import("../src/source/cache-contents.ts");
      const all = cacheContents(cacheDir);
      if (json) say(JSON.stringify(all, undefined, 2));
      else for (const line of table(all)) sayLine(line);
    });
  withExamples(cache.command("gc"), "nydusd-ts cache gc --older-than 12h --dry-run")
    .description("remove what was not used for some time, and is not mounted")
    .option("--cache-dir <dir>", "where they are kept", cacheDirectory())
    .option("--older-than <time>", "not used for so long: 30d, 12h, 0s", duration, 30 * UNIT.d)
    .option("--dry-run", "say what would go, remove nothing", false)
    .action(async ({ cacheDir, olderThan, dryRun }: GcFlags) => {
      const { cacheContents, garbageOf, removeGarbage } = await import("../src/source/cache-contents.ts");
      const { filesInUse } = await import("../src/daemon/files-in-use.ts");
      const all = cacheContents(cacheDir);
      const isInUse = filesInUse(new Set(all.map(({ path }) => basename(path))));
      const before = new Date(Date.now() - olderThan * 1000);
      const garbage = garbageOf(all, before, isInUse);
      for (const { path } of garbage) sayLine(path);
      if (!dryRun) removeGarbage(garbage);
      say(`${garbage.length} files, ${mib(bytesOf(garbage))} ${dryRun ? "would be freed" : "freed"}`);
    });
}

function table(all: readonly CacheFile[]): string[] {
  const shown = all.filter(({ kind }) => kind !== "note");
  const lines = shown.map(({ kind, id, bytes, used, blobs }) =>
    [
      kind.padEnd(8),
      id.slice(0, 16).padEnd(16),
      mib(bytes).padStart(12),
      used.toISOString(),
      blobs.length || "",
    ]
      .join("  ")
      .trimEnd(),
  );
  const head = ["kind".padEnd(8), "id".padEnd(16), "on disk".padStart(12), "last used".padEnd(24), "tars"];
  return [head.join("  "), ...lines, `${shown.length} files, ${mib(bytesOf(all))}`];
}

const bytesOf = (all: readonly CacheFile[]): number => all.reduce((sum, { bytes }) => sum + bytes, 0);

/** Seconds. */
function duration(text: string): number {
  const parts = /^(\d+)([smhd])$/.exec(text);
  if (parts === null) throw new InvalidArgumentError("want a number and s, m, h or d: 30d.");
  return Number(parts[1]) * UNIT[parts[2] as keyof typeof UNIT];
}
