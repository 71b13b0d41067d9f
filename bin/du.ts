import { type Command, InvalidArgumentError, Option } from "commander";
import { OperationalError } from "../src/bytes/errors.ts";
import type { LayeredImage } from "../src/layers/layered-image.ts";
import type { LayerUsage } from "../src/layers/usage.ts";
import { withExamples } from "./help.ts";
import { addInside, bare, type InsideFlags, layered, withInside } from "./inside.ts";
import { integer, size } from "./parse-values.ts";
import { complain, print, say } from "./say.ts";

/** What `--max-hidden` was missed by: for tests of images. */
const TOO_MUCH = 3;
const MANY = 1 << 30;

/** Bytes, or a part of what all layers brought. */
type Limit = { readonly bytes: number } | { readonly percent: number };

interface DuFlags extends InsideFlags {
  readonly by: "dir" | "layer" | "ext" | "owner" | "type";
  readonly depth: number;
  readonly lines: number;
  readonly bytes: boolean;
  readonly json: boolean;
  readonly maxHidden?: Limit;
}

/** `nydus-image-ts du`: why it is so large. */
export function addDu(program: Command): void {
  const command = addInside(program.command("du"))
    .description(
      "say how many bytes of files an image has, where, and how many of them are hidden by upper layers",
    )
    .addOption(
      new Option("--by <what>", "a line a directory, layer, extension, owner or type")
        .choices([...["dir", "layer", "ext", "owner", "type"]])
        .default("dir"),
    )
    .option("-d, --depth <N>", "directories so deep", integer(0, MANY), 2)
    .option(
      "-n, --lines <N>",
      "the largest so many directories, extensions, owners or types",
      integer(1, MANY),
      MANY,
    )
    .option("-b, --bytes", "exact sizes", false)
    .option("--json", "one JSON object a line", false)
    .option("--max-hidden <limit>", "exit with status 3 when more is hidden: 20M, or 10% of all", limit)
    .action((image: string, flags: DuFlags) =>
      withInside(image, flags, command, async (inside) => {
        const isOfLayers = flags.by === "layer" || flags.maxHidden !== undefined;
        if (inside.kind === "bare" && isOfLayers)
          throw new OperationalError(
            `${image}: nobody knows which layers it has, and what is hidden in them`,
          );
        await show(inside.kind === "layers" ? await layered(inside.layers) : await bare(inside), flags);
      }),
    );
  withExamples(
    command,
    "nydus-image-ts du saved.tar -d 3 -n 20",
    "nydus-image-ts du oci-layout --ref app:1.0 --by layer",
    "nydus-image-ts du saved.tar --by layer --max-hidden 10%",
  );
}

async function show(image: LayeredImage, flags: DuFlags): Promise<void> {
  const { by, depth, lines, json, bytes, maxHidden } = flags;
  const { usageByLayer, usageByDirectory, usageByKind } = await import("../src/layers/usage.ts");
  const text = await import("../src/inspect/du-text.ts");
  const { layerUsageRecords, directoryRecords } = await import("../src/inspect/du-json.ts");
  const { sizeText } = await import("../src/inspect/size-text.ts");
  const size = bytes ? String : sizeText;
  const usage = image.layers.length === 0 ? [] : usageByLayer(image);
  if (by === "layer") {
    if (json) sayAll(layerUsageRecords(usage, image.layers));
    else print(text.layersUsageText(usage, image.layers, size));
  } else if (by !== "dir") {
    const { KINDS, kindRecords, kindsText } = await import("../src/inspect/du-kinds.ts");
    const kinds = usageByKind(image, KINDS[by]);
    if (json) sayAll(kindRecords(by, kinds, lines));
    else print(kindsText(by, kinds, size, lines));
  } else {
    const directories = usageByDirectory(image, depth);
    if (json) sayAll(directoryRecords(image, directories, lines));
    else print(text.directoriesText(image, directories, size, lines));
  }
  if (maxHidden !== undefined) hold(usage, text.hiddenOf, maxHidden);
}

const sayAll = (records: readonly object[]): void => {
  for (const record of records) say(JSON.stringify(record));
};

function hold(usage: readonly LayerUsage[], hiddenOf: (one: LayerUsage) => number, most: Limit): void {
  const hidden = usage.reduce((sum, one) => sum + hiddenOf(one), 0);
  const own = usage.reduce((sum, one) => sum + one.own, 0);
  const bytes = "bytes" in most ? most.bytes : Math.floor((own * most.percent) / 100);
  if (hidden <= bytes) return;
  complain("too much is hidden:", `${hidden} bytes of ${own}, want at most ${bytes}`);
  process.exitCode = TOO_MUCH;
}

function limit(value: string): Limit {
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(value)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { percent: Number(percent) };
  if (value === "0") return { bytes: 0 };
  if (/%$/.test(value)) throw new InvalidArgumentError("want 20M, or 10% of all.");
  return { bytes: size(value) };
}
