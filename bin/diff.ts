import type { Command } from "commander";
import { messageOf } from "../src/bytes/errors.ts";
import { comparedBy, type DiffFlags, IGNORABLE, ignorable, layerRange } from "./diff-flags.ts";
import { showComparison } from "./diff-output.ts";
import { withSides } from "./diff-sides.ts";
import { errorWord, warnFrom, withExamples } from "./help.ts";
import { addInside } from "./inside.ts";
import { integer } from "./parse-values.ts";
import { complain } from "./say.ts";

const MAX_LAYER = 65_535;
/** As diff(1): 1 says that there are differences. */
export const DIFF_TROUBLE = 2;

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
    .option("-q, --quiet", "nothing but the exit status, no warnings either", false)
    .option("--json", "one JSON object a line, the last one a summary", false)
    .action(async (image: string, other: string | undefined, flags: DiffFlags) => {
      try {
        if (flags.quiet) warnFrom("error");
        const compared = comparedBy(other, flags);
        const isSame = await withSides(image, compared, flags, command, (...sides) =>
          showComparison(...sides, flags),
        );
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
