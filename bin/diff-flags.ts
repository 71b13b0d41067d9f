import { InvalidArgumentError } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import type { Ignorable } from "../src/layers/difference.ts";
import type { DiffOutput } from "./diff-output.ts";
import { warn } from "./help.ts";
import type { InsideFlags } from "./inside.ts";

export const IGNORABLE: readonly string[] = [
  "mode",
  "owner",
  "mtime",
  "xattr",
  "nlink",
] satisfies Ignorable[];

/** From which layer to which, each with all below it. */
export interface LayerRange {
  readonly from: number;
  readonly to: number;
  /** As it was given. */
  readonly said: string;
}

export interface DiffFlags extends Omit<InsideFlags, "ref">, DiffOutput {
  readonly ref?: readonly string[];
  readonly layers?: LayerRange;
  readonly layer?: number;
}

/** What is compared: two images, or two states of one. */
export type Compared = { readonly other: string } | { readonly range: LayerRange };

/**
 * What a command line compares.
 *
 * @param other the other image
 * @throws UsageError for what contradicts itself
 */
export function comparedBy(other: string | undefined, flags: DiffFlags): Compared {
  const { layer, layers, over, ref = [] } = flags;
  mustHaveOneForm(flags);
  if (layer !== undefined && layers !== undefined)
    throw new UsageError("--layer and --layers: want one of them");
  const range = layer === undefined ? layers : { from: layer - 1, to: layer, said: `--layer ${layer}` };
  if (ref.length > (other === undefined ? 1 : 2)) throw new UsageError("--ref: more of them than images");
  if (other === undefined) {
    if (range === undefined) throw new UsageError("one image: want another one, or --layers M..N");
    return { range };
  }
  if (range !== undefined) throw new UsageError("--layers compares layers of one image, and two are given");
  if (over.length > 0) throw new UsageError("--over: of which image? it needs --layers, and one image");
  return { other };
}

/** Output has one form; what is only of another form is told. */
function mustHaveOneForm({ json, nameStatus, stat, quiet, null: hasNuls, bytes }: DiffOutput): void {
  const all = { "--json": json, "--name-status": nameStatus, "--stat": stat, "--quiet": quiet };
  const [form, another] = Object.entries(all).flatMap(([name, isGiven]) => (isGiven ? [name] : []));
  if (another !== undefined) throw new UsageError(`${form} and ${another}: want one of them`);
  if (hasNuls && form !== undefined && form !== "--name-status")
    throw new UsageError(`--null has no meaning with ${form}: it is --name-status for programs`);
  if (bytes && (json || nameStatus || hasNuls))
    warn("--bytes has no effect: it is about the sizes of the table, and of --stat");
}

export function layerRange(value: string): LayerRange {
  const [, from, to] = /^(\d{1,5})\.\.(\d{1,5})$/.exec(value) ?? [];
  if (from === undefined || to === undefined) throw new InvalidArgumentError("want M..N, such as 1..3.");
  return { from: Number(from), to: Number(to), said: `--layers ${value}` };
}

export function ignorable(value: string, before: readonly string[]): string[] {
  const words = value.split(",");
  if (words.every((word) => IGNORABLE.includes(word))) return [...before, ...words];
  throw new InvalidArgumentError(`want some of ${IGNORABLE.join(",")}.`);
}
