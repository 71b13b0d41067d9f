import { type Command, Option } from "commander";
import { cacheDirectory } from "../src/bytes/user-directories.ts";
import { collect, collectNames, nonEmpty, platform, size } from "./parse-values.ts";

/** Options of whatever makes an image of what people have, apart from those that mount it. */
export const CACHE_DIR = {
  flags: "--cache-dir <dir>",
  about: "where bootstraps and decompressed tars are kept",
  default: cacheDirectory(),
} as const;
export const REF = {
  flags: "--ref <name>",
  about: "which image of a layout or archive: its name as docker takes it, a digest, or the beginning of one",
  parse: nonEmpty,
} as const;
export const PLATFORM = {
  flags: "--platform <os/arch>",
  about: "for which platform: linux/arm64, linux/arm/v7 …; this host's when absent",
  parse: platform,
} as const;
export const MAX_LAYER_SIZE = {
  flags: "--max-layer-size <bytes>",
  about: "refuse what becomes longer when it is decompressed, or comes so through a pipe: 4G",
  parse: size,
} as const;

/** The same of a command that takes two images. */
const REFS = {
  ...REF,
  about: `${REF.about}; twice: of the first image, and of the other`,
  parse: collectNames,
} as const;

/** Adds them to a command that mounts nothing. @param isOfTwo images, each of which may be one of several */
export function addSourceOptions(command: Command, isOfTwo = false): Command {
  command.option(
    "--blob-dir <dir>",
    "directory that holds the tars, may be given several times",
    collect,
    [],
  );
  command.addOption(new Option(CACHE_DIR.flags, CACHE_DIR.about).default(CACHE_DIR.default));
  for (const { flags, about, parse } of [isOfTwo ? REFS : REF, PLATFORM, MAX_LAYER_SIZE])
    command.addOption(
      new Option(flags, about).argParser(parse as (value: string, before: unknown) => unknown),
    );
  return command;
}
