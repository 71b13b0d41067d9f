import type { Command } from "commander";
import { withExamples } from "./help.ts";
import { addInside, type InsideFlags, layered, mustHaveNoLayer, withInside } from "./inside.ts";
import { integer } from "./parse-values.ts";
import { writeExactly } from "./say.ts";

const MAX_LAYER = 65_535;

interface CatFlags extends InsideFlags {
  readonly layer?: number;
}

/** `nydus-image-ts cat`: a file's bytes, also of one that upper layers hide. */
export function addCat(program: Command): void {
  const command = addInside(program.command("cat"))
    .argument("<name>", "a file in the image, from its root")
    .description("write a file's bytes to standard output, also those that upper layers hide")
    .option("--layer <N>", "the file of this layer, counted from 1, the lowest", integer(1, MAX_LAYER))
    .action((image: string, path: string, flags: CatFlags) =>
      withInside(image, flags, command, async (inside) => {
        const { catBare, catLayer } = await import("../src/inspect/cat.ts");
        if (inside.kind === "layers") {
          const image = await layered(inside.layers);
          for (const chunk of catLayer(image, path, flags.layer)) writeExactly(chunk);
          return;
        }
        mustHaveNoLayer(flags.layer);
        const { openImageView } = await import("../src/inspect/image-view.ts");
        for (const chunk of catBare(openImageView(inside.bootstrap, inside.search), path))
          writeExactly(chunk);
      }),
    );
  withExamples(
    command,
    "nydus-image-ts cat saved.tar /etc/os-release",
    "nydus-image-ts cat saved.tar --layer 1 /root/.ssh/id_ed25519 | sha256sum",
  );
}
