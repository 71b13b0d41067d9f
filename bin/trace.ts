import type { Command } from "commander";
import { withExamples } from "./help.ts";
import { say, writeExactly } from "./say.ts";

interface Flags {
  readonly json: boolean;
  readonly paths: boolean;
}

/** `nydusd-ts trace`: what `--trace` wrote. */
export function addTrace(program: Command): void {
  const trace = program.command("trace").description("look at what --trace wrote");
  withExamples(
    trace.command("summarize <file>"),
    "nydusd-ts trace summarize first-reads.trace --paths > list",
  )
    .description("what was read, file by file, in the order of their first reads")
    .option("--json", "one JSON document", false)
    .option("--paths", "the paths alone: a prefetch list for nydusd and nydus-image, too", false)
    .action(async (file: string, { json, paths }: Flags) => {
      const { summarizeFile, summaryJson, summaryPaths, summaryText } = await import(
        "../src/trace/summary.ts"
      );
      const summary = summarizeFile(file);
      if (paths) writeExactly(summaryPaths(summary));
      else say(json ? summaryJson(summary) : summaryText(summary));
    });
}
