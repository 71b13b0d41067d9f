import type { Command } from "commander";
import { warn, withExamples } from "./help.ts";
import { sayLine } from "./say.ts";

interface CommitFlags {
  readonly output: string;
  readonly rw?: string;
  readonly gzip: boolean;
}

/** `nydusd-ts commit`: changes become a layer. */
export function addCommit(program: Command): void {
  withExamples(
    program.command("commit <dir>"),
    "nydusd-ts commit /mnt/rootfs -o changes.tar",
    "nydusd-ts commit /mnt/rootfs --gzip -o - | ssh builder 'cat >changes.tar.gz'",
  )
    .description("write what was changed in a mount with --rw as a layer of an OCI image")
    .requiredOption("-o, --output <file>", "the tar, - for standard output")
    .option("--gzip", "compress it", false)
    .option(
      "--rw <dir>",
      "where the changes are, as mount was told; needed only where the mount does not show it",
    )
    .action(async (dir: string, { output, rw, gzip }: CommitFlags) => {
      const { commitChanges } = await import("../src/commit/commit.ts");
      const made = await commitChanges({ dir, output, changes: rw, isGzip: gzip, warn });
      if (output === "-") return; // that is the layer
      const diffId = gzip ? `, diff id ${made.diffId}` : "";
      sayLine(`${output}: ${made.entries} entries, ${made.size} bytes, ${made.digest}${diffId}`);
    });
}
