import { type Command, Option } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import type { ConfigPrefetch } from "../src/daemon/config.ts";
import type { PrefetchOptions } from "../src/session/prefetching.ts";
import { integer } from "./integer.ts";

/** What commander makes of what is warmed, and of how that becomes known. */
export interface PrefetchFlags {
  prefetchFiles?: string;
  prefetch: "on" | "off";
  prefetchRate?: number;
  prefetchMemory?: number;
  trace?: string;
}

const MIB = 1 << 20;

export function addPrefetchOptions(command: Command): void {
  command
    .option("--prefetch-files <list>", "warm the tars of these files: a path a line, or a trace")
    .addOption(
      new Option(
        "--prefetch <when>",
        "warm what the list names, or the table of the image; a configuration may turn the table off",
      )
        .choices(["on", "off"])
        .default("on"),
    )
    .option("--prefetch-rate <MiB/s>", "how fast, 0 has no limit", integer(0, 1 << 20))
    .option(
      "--prefetch-memory <MiB>",
      "how much (default: half of the memory that is available)",
      integer(1, 1 << 30),
    )
    .option("--trace <file>", "write down what is read first: a list for --prefetch-files");
}

/** @throws UsageError when a list is given and not to be used */
export function prefetchOptions(
  { prefetch, prefetchFiles, prefetchRate, prefetchMemory }: PrefetchFlags,
  config: ConfigPrefetch | undefined,
): PrefetchOptions | undefined {
  if (prefetch === "off") {
    if (prefetchFiles !== undefined)
      throw new UsageError("--prefetch-files has no meaning with --prefetch off");
    return undefined;
  }
  // Who names a list on the command line means it, whatever the configuration says of everything else.
  if (config?.enable === false && prefetchFiles === undefined) return undefined;
  return {
    list: prefetchFiles,
    isAll: config?.enable === true && config.isAll,
    rate: prefetchRate === undefined ? (config?.rate ?? 0) : prefetchRate * MIB,
    memory: prefetchMemory && prefetchMemory * MIB,
  };
}
