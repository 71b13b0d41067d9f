import { type Command, Option } from "commander";
import { OperationalError, UsageError } from "../src/bytes/errors.ts";
import type { Query } from "../src/find/query.ts";
import type { Rows } from "../src/find/rows.ts";
import { addPredicates, givenPredicates } from "./find-options.ts";
import { type FindOutput, outputOf } from "./find-output.ts";
import { errorWord, withExamples } from "./help.ts";
import { addInside, bare, type InsideFlags, layered, withInside } from "./inside.ts";
import { integer } from "./parse-values.ts";
import { complain, say } from "./say.ts";

const MANY = 1 << 30;
/** They are about layers, so that it is worth a warning when nobody knows them. */
const OF_LAYERS = ["--secret", "--in-tar"];

interface FindFlags extends InsideFlags, FindOutput {
  readonly lines: number;
  readonly count: boolean;
}

/** `nydus-image-ts find`: which files are such. */
export function addFind(program: Command): void {
  const command = addInside(program.command("find"))
    .argument("[name...]", "where to begin, from the image's root")
    .description(
      "find files of an image as find(1) does, also by layer, by what hides them, and by bytes of the tars; all that is asked for must hold, ! in front of a value is not, a comma is or",
    );
  addPredicates(command);
  const others = ["long", "null", "printf", "json", "count"];
  const output = (flags: string, about: string) => {
    const option = new Option(flags, about);
    return option.conflicts(others.filter((name) => name !== option.attributeName()));
  };
  command
    .addOption(output("-l, --long", "layer, size, what became of it, and where its bytes lie").default(false))
    .option("-b, --bytes", "exact sizes", false)
    .addOption(output("-0, --null", "paths as they are, a NUL behind each").default(false))
    .addOption(
      output(
        "--printf <format>",
        "as find: %p %f %h %s %m %M %y %u %g %T@ %l, and %L layer, %O offset, %B tar; with \\0 in it, names are as they are",
      ),
    )
    .addOption(output("--json", "one JSON object a line").default(false))
    .addOption(output("--count", "how many there are").default(false))
    .option("-n, --lines <N>", "the first so many", integer(1, MANY), MANY)
    .action((image: string, paths: string[], flags: FindFlags) => run(command, image, paths, flags));
  withExamples(
    command,
    "nydus-image-ts find saved.tar --hidden --size +1M -l",
    "nydus-image-ts find saved.tar --secret -l",
    "nydus-image-ts find oci-layout /usr --ref app:1.0 --perm /6000 --layer '!1'",
    "nydus-image-ts find saved.tar -0 --type f --name '*.py,*.pyc' | xargs -0 -n 1 printf '%s\\n'",
  );
}

async function run(
  command: Command,
  image: string,
  paths: readonly string[],
  flags: FindFlags,
): Promise<void> {
  const given = givenPredicates(command);
  const { queryOf } = await import("../src/find/query.ts");
  const query = await withTraces(queryOf(given, Date.now() / 1000), given);
  const makeOutput = await outputOf(flags);
  const isAboutLayers = flags.long || OF_LAYERS.some((name) => given.has(name));
  await withInside(
    image,
    flags,
    command,
    async (inside) => {
      const { Rows } = await import("../src/find/rows.ts");
      const of = inside.kind === "layers" ? await layered(inside.layers) : await bare(inside);
      const rows = new Rows(of);
      const found = await findAll(rows, query, paths);
      if (flags.count) say(String(found.reduce((sum, { length }) => sum + length, 0)));
      else makeOutput(rows)(firstOf(found, flags.lines));
    },
    { isAboutLayers },
  );
}

/** Below each path; one that is none is told, and the others go on. */
async function findAll(
  rows: Rows,
  { scope, predicates }: Query,
  paths: readonly string[],
): Promise<Int32Array[]> {
  const { select } = await import("../src/find/select.ts");
  const { nodeAt } = await import("../src/inspect/explain.ts");
  const found: Int32Array[] = [];
  for (const path of paths.length === 0 ? ["/"] : paths) {
    const start = startAt(() => nodeAt(rows.image, path));
    if (start !== undefined) found.push(select(rows, scope, predicates, start));
  }
  return found;
}

/** @returns undefined, with status 1, where nothing is: the others go on */
function startAt(look: () => number): number | undefined {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    complain(errorWord("Error:"), error.message);
    process.exitCode = 1;
    return undefined;
  }
}

function firstOf(found: readonly Int32Array[], most: number): Int32Array {
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.subarray(0, most);
  return Int32Array.from(found.flatMap((rows) => [...rows])).subarray(0, most);
}

async function withTraces(query: Query, given: ReadonlyMap<string, readonly string[]>): Promise<Query> {
  const [is, isNot] = [given.get("--touched-by") ?? [], given.get("--not-touched-by") ?? []];
  if (is.length + isNot.length === 0) return query;
  const not = is.find((file) => file.startsWith("!"));
  if (not !== undefined) throw new UsageError(`--touched-by ${not}: --not-touched-by is the opposite`);
  const { summarizeFile } = await import("../src/trace/summary.ts");
  const { touched } = await import("../src/find/touched.ts");
  const of = (files: readonly string[], isTouched: boolean) =>
    files.map((file) =>
      touched(
        summarizeFile(file).files.map(({ path }) => path),
        isTouched,
      ),
    );
  return { ...query, predicates: [...query.predicates, ...of(is, true), ...of(isNot, false)] };
}
