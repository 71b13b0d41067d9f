import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { shown } from "../src/bytes/escape-control-chars.ts";
import type { BuildResult } from "../src/mkfs/bootstrap.ts";
import { builtRecord, builtText } from "../src/mkfs/built-report.ts";
import { mustBeNoLayer, mustBePlace, placeForLayers, STDIN } from "../src/mkfs/output-place.ts";
import { WHITEOUT_SPECS, type WhiteoutSpec } from "../src/mkfs/whiteout.ts";
import { OperationalError, UsageError } from "../src/bytes/errors.ts";
import { type Given, givenOptions } from "./given.ts";
import { warn, withExamples } from "./help.ts";
import { size } from "./parse-values.ts";
import { versionWord } from "./image-options.ts";
import { progress } from "./progress.ts";
import { print } from "./say.ts";

interface OutputFlags {
  bootstrap?: string;
  blobDir?: string;
  prefetchPolicy: "none" | "fs" | "blob";
  outputJson?: string;
  whiteoutSpec: WhiteoutSpec;
  dropUnreferenced: boolean;
  strictXattrs: boolean;
}

interface CreateFlags extends OutputFlags {
  type: string;
  blobId?: string;
  chunkSize: number;
  repeatable: boolean;
  blobLink: "hard" | "none";
  ignoreZeros: boolean;
  maxLayerSize?: number;
  fsVersion: string;
}

const TYPE = "tar-tarfs";

/** Options of nydus-image that make no sense for tars that stay as they are. */
const CONFLICTS: readonly (readonly [flags: string, message: string])[] = [
  ["-b, --blob <file>", `conversion type \`${TYPE}\` conflicts with \`--blob\``],
  ["--blob-cache-dir <dir>", `conversion type \`${TYPE}\` conflicts with \`--blob-cache-dir\``],
  ["--blob-inline-meta", `conversion type '${TYPE}' conflicts with '--blob-inline-meta'`],
  ["--chunk-dict <arg>", `conversion type '${TYPE}' conflicts with '--chunk-dict'`],
  ["--parent-bootstrap <file>", `conversion type '${TYPE}' conflicts with '--parent-bootstrap'`],
  ["--features <name>", `conversion type '${TYPE}' conflicts with '--features blob-toc'`],
  ["--aligned-chunk", `conversion type '${TYPE}' conflicts with '--aligned-chunk'`],
  ["-E, --encrypt", `conversion type '${TYPE}' conflicts with '--encrypt'`],
];

function addOutput(command: Command): Command {
  return command
    .option("-B, --bootstrap <file>", "where the bootstrap goes")
    .option("-D, --blob-dir <dir>", "directory of the tars, and of a bootstrap that -B does not name")
    .addOption(
      new Option("--prefetch-policy <policy>", "what to read ahead: paths come on stdin, one a line")
        .choices(["none", "fs", "blob"])
        .default("none"),
    )
    .addOption(
      new Option("--whiteout-spec <spec>", "how a layer says that something below it is gone")
        .choices(WHITEOUT_SPECS)
        .default("oci"),
    )
    .option("--drop-unreferenced", "leave out tars of which nothing is left to be seen", false)
    .option("--strict-xattrs", "refuse extended attributes that an image does not keep", false)
    .option("-J, --output-json <file>", "write what was built there");
}

export function addCreate(program: Command): void {
  const command = addOutput(
    program
      .command("create <layer...>")
      .description(
        "build a bootstrap from a tar, compressed or not; several layers, the lowest first, become one image",
      ),
  )
    .option("-t, --type <type>", "only tar-tarfs", TYPE)
    .option("--blob-id <id>", "name of the tar; its sha256 when absent")
    .option("--chunk-size <bytes>", "0x1000…0x1000000, a power of two", chunkSize, 0x10_0000)
    .option("--repeatable", "leave owners out", false)
    .addOption(
      new Option("--blob-link <how>", "how a plain tar gets into --blob-dir")
        .choices(["hard", "none"])
        .default("hard"),
    )
    .option("--ignore-zeros", "read on after the end of the archive", false)
    .option(
      "--max-layer-size <bytes>",
      "refuse a layer that becomes longer when it is decompressed: 4G",
      size,
    )
    .addOption(new Option("-v, --fs-version <version>").choices(["5", "6"]).default("6").hideHelp())
    .addOption(new Option("--compressor <name>").hideHelp())
    .addOption(new Option("--digester <name>").hideHelp());
  withExamples(
    command,
    "nydus-image-ts create layer.tar.gz        writes layer.boot and the tar beside it",
    "nydus-image-ts create -B layer.boot -D blobs layer.tar.gz",
  );
  addConflicts(command);
  command.action((layers: string[], flags: CreateFlags) => create(layers, flags, givenOptions(command)));
}

export function addMerge(program: Command): void {
  const command = addOutput(
    program.command("merge <bootstraps...>").description("lay bootstraps over one another, the lowest first"),
  );
  withExamples(command, "nydus-image-ts merge -B image.boot lower.boot upper.boot");
  addConflicts(command);
  command.action(async (layers: string[], flags: OutputFlags) => {
    const prefetch = await readPrefetch(flags, []);
    const { bootstrap, blobDir } = mustBePlace(flags);
    if (flags.bootstrap !== undefined && flags.blobDir !== undefined)
      warn("--blob-dir has no effect: merge writes no tar, and --bootstrap says where the bootstrap goes");
    const { whiteoutSpec: whiteouts, strictXattrs, dropUnreferenced } = flags;
    const rules = { whiteouts, strictXattrs, warn };
    const request = { layers, bootstrap, blobDir, prefetch, ...rules, keepsBlobs: !dropUnreferenced };
    const { mergeImages } = await import("../src/mkfs/merge.ts");
    await report(mergeImages(request), flags, "merged RAFS filesystem");
  });
}

/** Options of `create` that may be given where they change nothing, and when that is so. */
const IDLE: readonly (readonly [
  option: string,
  isIdle: (layers: readonly string[], flags: CreateFlags) => string | undefined,
])[] = [
  ["--drop-unreferenced", ({ length }) => (length === 1 ? "one layer refers to its tar" : undefined)],
  [
    "--blob-link",
    (layers, flags) =>
      placeForLayers(layers, flags).blobDir === undefined
        ? "without --blob-dir tars stay where they are"
        : undefined,
  ],
  ["--compressor", () => "the data stay in tars, uncompressed"],
  ["--digester", () => "tars are named by their sha256"],
];

async function create(layers: string[], flags: CreateFlags, given: Given): Promise<void> {
  const { blobId, blobLink, chunkSize, ignoreZeros } = flags;
  if (flags.type !== TYPE)
    throw new UsageError(`conversion type '${flags.type}' is not supported, only '${TYPE}'`);
  if (flags.fsVersion !== "6")
    throw new OperationalError(
      `'--fs-version 5' conflicts with conversion type '${TYPE}', only V6 is supported`,
    );
  if (flags.prefetchPolicy === "blob")
    throw new OperationalError(`conversion type ${TYPE} conflicts with '--prefetch-policy blob'`);
  if (blobId !== undefined && layers.length > 1)
    throw new UsageError("--blob-id names the tar of one layer only");
  if (blobId !== undefined) (await import("../src/mkfs/blob-id.ts")).mustBeBlobId(blobId);
  for (const [option, isIdle] of IDLE) {
    const why = given.has(option) ? isIdle(layers, flags) : undefined;
    if (why !== undefined) warn(`${option} has no effect: ${why}`);
  }
  const place = placeForLayers(layers, flags);
  mustBeNoLayer(place, layers);
  const prefetch = await readPrefetch(flags, layers);
  const { createFrom } = await import("../src/mkfs/create-from.ts");
  const built = await createFrom({
    ...place,
    ...{ layers, blobId, blobLink, isLinkAsked: given.has("--blob-link"), chunkSize, ignoreZeros },
    ...{ strictXattrs: flags.strictXattrs, maxLayerSize: flags.maxLayerSize, warn },
    isRepeatable: flags.repeatable,
    prefetch,
    report: progress(process.stderr.isTTY),
    whiteouts: flags.whiteoutSpec,
    keepsBlobs: layers.length > 1 && !flags.dropUnreferenced,
  });
  await report(built, flags, "built RAFS filesystem");
}

/** An option that takes no value has no parser, so all of them are caught when they are met. */
function addConflicts(command: Command): void {
  for (const [flags, message] of CONFLICTS) {
    const option = new Option(flags).hideHelp();
    command.addOption(option);
    command.on(`option:${option.name()}`, () => {
      throw new OperationalError(message);
    });
  }
}

/** The list on stdin, which a layer may not be at the same time. */
async function readPrefetch(
  { prefetchPolicy }: OutputFlags,
  layers: readonly string[],
): Promise<Uint8Array[]> {
  if (prefetchPolicy !== "fs") return [];
  if (layers.some((layer) => STDIN.has(layer)))
    throw new UsageError("stdin cannot be both layer and prefetch list");
  return (await import("../src/mkfs/prefetch.ts")).prefetchList(readFileSync(0));
}

/** As nydus-image says it, and writes it. */
async function report(built: BuildResult, { outputJson }: OutputFlags, what: string): Promise<void> {
  print(builtText({ ...built, bootstrap: shown(built.bootstrap) }, what));
  if (outputJson === undefined) return;
  const { writeJson } = await import("../src/inspect/json-file.ts");
  writeJson(outputJson, builtRecord(built, versionWord()), 2);
}

function chunkSize(text: string): number {
  const n = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (n >= 0x1000 && n <= 0x100_0000 && Number.isInteger(Math.log2(n))) return n;
  throw new InvalidArgumentError("want a power of two from 0x1000 to 0x1000000.");
}
