import type { Command } from "commander";
import { withExamples } from "./help.ts";
import { addInside, bare, type InsideFlags, layered, withInside } from "./inside.ts";
import { integer } from "./parse-values.ts";
import { print } from "./say.ts";

const MANY = 1 << 30;

interface TreeFlags extends InsideFlags {
  readonly level: number;
  readonly dirs: boolean;
  readonly du: boolean;
  readonly layers: boolean;
  readonly hidden: boolean;
  readonly bytes: boolean;
  readonly json: boolean;
}

/** `nydus-image-ts tree`: what an image looks like. */
export function addTree(program: Command): void {
  const command = addInside(program.command("tree"))
    .argument("[name]", "where to begin, from the image's root", "/")
    .description("draw the tree of an image as tree(1) does, with sizes, layers, and what is hidden")
    .option("-L, --level <N>", "so many levels", integer(1, MANY), MANY)
    .option("-d, --dirs", "directories only", false)
    .option("--du", "bytes of files, of a directory those in it", false)
    .option("--layers", "from which layers it is, and what is in it", false)
    .option("--hidden", "also what is hidden, and by which layer", false)
    .option("-b, --bytes", "exact sizes", false)
    .option("--json", "one JSON object a line", false)
    .action((image: string, path: string, flags: TreeFlags) =>
      withInside(
        image,
        flags,
        command,
        async (inside) => {
          const { nodeAt } = await import("../src/inspect/explain.ts");
          const { outline } = await import("../src/find/outline.ts");
          const { Rows } = await import("../src/find/rows.ts");
          const { outlineRecord, outlineText } = await import("../src/inspect/outline-text.ts");
          const { sizeText } = await import("../src/inspect/size-text.ts");
          const { level, dirs, du, layers, hidden, bytes, json } = flags;
          const rows = new Rows(inside.kind === "layers" ? await layered(inside.layers) : await bare(inside));
          const start = nodeAt(rows.image, path);
          const drawn = outline(rows, start, { depth: level, isOfDirectories: dirs, hasHidden: hidden });
          if (json) print(drawn.map((one) => `${JSON.stringify(outlineRecord(rows, one))}\n`).join(""));
          else
            print(
              outlineText(rows, drawn, {
                size: du ? (bytes ? String : sizeText) : undefined,
                hasLayers: layers,
              }),
            );
        },
        { isAboutLayers: flags.layers || flags.hidden },
      ),
    );
  withExamples(
    command,
    "nydus-image-ts tree saved.tar -L 2 --du --layers",
    "nydus-image-ts tree saved.tar /root --hidden",
  );
}
