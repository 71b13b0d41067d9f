import type { Command } from "commander";
import type { MountMeans } from "../src/snapshotter/mount-image.ts";
import { warn, withExamples } from "./help.ts";
import { sayLine } from "./say.ts";
import { withConfig } from "./snapshotter-config.ts";

interface ProgramFlags {
  readonly config?: string;
  readonly root: string;
  readonly driver: MountMeans["driver"];
}

/**
 * `nydus-snapshotter-ts als`: layers for podman and buildah. Root and driver are the program's own options, before the command.
 *
 * @param nydusd the program `nydusd-ts`
 */
export function addAls(program: Command, nydusd: URL): void {
  withExamples(
    program.command("als <dir> <layout...>"),
    "nydus-snapshotter-ts als /run/layers /srv/images/app",
    "nydus-snapshotter-ts --driver fuse als --prune /run/layers /srv/images/*",
  )
    .description(
      "offer the layers of OCI image layouts to podman and buildah, which need not pull or unpack them then",
    )
    .option("--prune", "take layers back that no layout has any more", false)
    .action(async (directory: string, layouts: string[], { prune }: { prune: boolean }) => {
      const { fillLayerStore } = await import("../src/als/additional-layers.ts");
      const { root, driver } = await withConfig(program.opts<ProgramFlags>(), program);
      const means = { driver, program: nydusd };
      const done = await fillLayerStore({ root, directory, layouts, means, prunes: prune, warn });
      const { added, kept, removed, leftOut, isWhole } = done;
      sayLine(
        `${directory}: ${added} layers added, ${kept} were there, ${removed} removed, ${leftOut} left out`,
      );
      if (!prune || isWhole) return;
      warn("nothing was pruned: of the images that are not whole, it is not known which layers are theirs");
      process.exitCode = 1;
    });
}
