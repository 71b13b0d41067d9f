import type { Command } from "commander";
import type { MountMeans } from "../src/snapshotter/mount-image.ts";
import { warn, withExamples } from "./help.ts";
import { sayLine } from "./say.ts";

/**
 * `nydus-snapshotter-ts als`: layers for podman and buildah. Root and driver are the program's own options, before the command.
 *
 * @param nydusd the program `nydusd-ts`
 */
export function addAls(program: Command, nydusd: string): void {
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
      const { root, driver } = program.opts<{ root: string; driver: MountMeans["driver"] }>();
      const means = { driver, program: nydusd };
      const done = await fillLayerStore({ root, directory, layouts, means, prunes: prune, warn });
      const { added, kept, removed, leftOut } = done;
      sayLine(
        `${directory}: ${added} layers added, ${kept} were there, ${removed} removed, ${leftOut} left out`,
      );
    });
}
