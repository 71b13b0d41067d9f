import type { Command } from "commander";
import { OperationalError } from "../src/bytes/errors.ts";
import { parseAddress } from "../src/daemon/metrics-address.ts";
import { warn } from "./help.ts";

/** `--config` of `nydus-snapshotter-ts`: the file says what the command line does not. @returns the options of the command then */
export async function withConfig<Flags extends { readonly config?: string }>(
  flags: Flags,
  command: Command,
): Promise<Flags> {
  const { config: file } = flags;
  if (file === undefined) return flags;
  const { readSnapshotterConfig } = await import("../src/snapshotter/config.ts");
  const { warnings, metricsAddress, ...said } = readSnapshotterConfig(file);
  for (const warning of warnings) warn(warning);
  const metrics = metricsAddress === undefined ? undefined : parseAddress(metricsAddress);
  if (metricsAddress !== undefined && metrics === undefined)
    throw new OperationalError(`config ${file}: metrics.address: is ${metricsAddress}, want [HOST:]PORT`);
  const known = new Set(command.options.map((option) => option.attributeName()));
  const isOpen = ([key, value]: [string, unknown]) =>
    value !== undefined && known.has(key) && command.getOptionValueSource(key) !== "cli";
  const all = Object.entries({ ...said, metricsAddress: metrics });
  return { ...flags, ...Object.fromEntries(all.filter(isOpen)) };
}
