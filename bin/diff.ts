import { type Command, InvalidArgumentError } from "commander";
import { messageOf, OperationalError, UsageError } from "../src/bytes/errors.ts";
import type { Ignorable } from "../src/layers/difference.ts";
import type { Side } from "../src/layers/side.ts";
import { type DiffOutput, showComparison } from "./diff-output.ts";
import { errorWord, withExamples } from "./help.ts";
import { addInside, type Inside, type InsideFlags, layered, withInside } from "./inside.ts";
import { integer } from "./parse-values.ts";
import { complain } from "./say.ts";

const MAX_LAYER = 65_535;
/** As diff(1): 1 says that there are differences. */
export const DIFF_TROUBLE = 2;
const IGNORABLE: readonly string[] = ["mode", "owner", "mtime", "xattr", "nlink"] satisfies Ignorable[];

/** From which layer to which, each with all below it. */
interface LayerRange {
  readonly from: number;
  readonly to: number;
}

interface DiffFlags extends Omit<InsideFlags, "ref">, DiffOutput {
  readonly ref?: readonly string[];
  readonly layers?: LayerRange;
  readonly layer?: number;
}

/** `nydus-image-ts diff`: what differs between two images, or between two layers of one. */
export function addDiff(program: Command): void {
  const command = addInside(program.command("diff"), true)
    .argument("[other]", "the other image")
    .description("say what differs between two images, or before and after layers of one")
    .option(
      "--layers <M..N>",
      "of one image: after layer M, against after layer N; 0 is before all",
      layerRange,
    )
    .option("--layer <N>", "what this layer changes: N-1..N", integer(1, MAX_LAYER))
    .option("--data", "read files that lie at different places and have the same size", false)
    .option("--ignore <what>", `none of these counts: ${IGNORABLE.join(",")}`, ignorable, [])
    .option("--semantic", "--ignore mtime --data", false)
    .option("--dirs", "also directories of which only the times differ", false)
    .option("-a, --all", "all that is in directories that are new or gone", false)
    .option("-b, --bytes", "exact sizes", false)
    .option("--name-status", "letters and names only", false)
    .option("-0, --null", "the same for programs: letter NUL name NUL", false)
    .option("--stat", "only how many there are of what", false)
    .option("-q, --quiet", "nothing but the exit status", false)
    .option("--json", "one JSON object a line, the last one a summary", false)
    .action(async (image: string, other: string | undefined, flags: DiffFlags) => {
      try {
        const isSame = await compare(image, other, flags, command);
        process.exitCode = isSame ? 0 : 1;
      } catch (error) {
        complain(errorWord("Error:"), messageOf(error));
        process.exitCode = DIFF_TROUBLE;
      }
    });
  withExamples(
    command,
    "nydus-image-ts diff app-1.tar app-2.tar",
    "nydus-image-ts diff oci-layout oci-layout --ref app:1 --ref app:2 --semantic",
    "nydus-image-ts diff saved.tar --layers 1..3 --stat",
    "nydus-image-ts diff saved.tar --layer 2 -0 | xargs -0 -n 2 printf '%s %s\\n'",
  );
}

/** @returns whether they are the same */
async function compare(
  image: string,
  other: string | undefined,
  flags: DiffFlags,
  command: Command,
): Promise<boolean> {
  const range = flags.layer === undefined ? flags.layers : { from: flags.layer - 1, to: flags.layer };
  mustFit(other, range, flags);
  const [first, second = first] = flags.ref ?? [];
  const open = <T>(path: string, ref: string | undefined, use: (inside: Inside) => Promise<T>) => {
    const { ref: _, ...rest } = flags;
    return withInside(path, { ...rest, ...(ref === undefined ? {} : { ref }) }, command, use, false);
  };
  const isRead = flags.data || flags.semantic;
  return open(image, first, async (inside) => {
    if (other === undefined) return showComparison(...(await sidesOf(image, inside, range)), flags);
    const before = await sideOf(inside, isRead);
    return open(other, second, async (inside2) =>
      showComparison(before, await sideOf(inside2, isRead), flags),
    );
  });
}

/** @throws UsageError for what contradicts itself */
function mustFit(
  other: string | undefined,
  range: LayerRange | undefined,
  { layer, layers, over, ref = [] }: DiffFlags,
): void {
  if (layer !== undefined && layers !== undefined)
    throw new UsageError("--layer and --layers: want one of them");
  if (other === undefined && range === undefined)
    throw new UsageError("one image: want another one, or --layers M..N");
  if (other !== undefined && range !== undefined)
    throw new UsageError("--layers compares layers of one image, and two are given");
  if (other !== undefined && over.length > 0)
    throw new UsageError("--over: of which image? it needs --layers, and one image");
  if (ref.length > (other === undefined ? 1 : 2)) throw new UsageError("--ref: more of them than images");
}

async function sidesOf(
  path: string,
  inside: Inside,
  range: LayerRange = { from: 0, to: 0 },
): Promise<[Side, Side]> {
  if (inside.kind === "bare")
    throw new OperationalError(`${path}: nobody knows which layers it has, and what each of them changes`);
  const { sideOfLayers } = await import("../src/layers/side.ts");
  const side = async (layer: number) => sideOfLayers(await layered(inside.layers, layer));
  return [await side(range.from), await side(range.to)];
}

async function sideOf(inside: Inside, isRead: boolean): Promise<Side> {
  if (inside.kind === "layers") {
    const { sideOfLayers } = await import("../src/layers/side.ts");
    return sideOfLayers(await layered(inside.layers));
  }
  const { openImageView } = await import("../src/inspect/image-view.ts");
  const { sideOfBare } = await import("../src/inspect/bare-image.ts");
  return sideOfBare(openImageView(inside.bootstrap, isRead ? inside.search : undefined), inside.bootstrap);
}

function layerRange(value: string): LayerRange {
  const [, from, to] = /^(\d{1,5})\.\.(\d{1,5})$/.exec(value) ?? [];
  if (from === undefined || to === undefined) throw new InvalidArgumentError("want M..N, such as 1..3.");
  return { from: Number(from), to: Number(to) };
}

function ignorable(value: string, before: readonly string[]): string[] {
  const words = value.split(",");
  if (words.every((word) => IGNORABLE.includes(word))) return [...before, ...words];
  throw new InvalidArgumentError(`want some of ${IGNORABLE.join(",")}.`);
}
