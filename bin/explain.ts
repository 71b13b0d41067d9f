import type { Command } from "commander";
import { OperationalError } from "../src/bytes/errors.ts";
import type { Explained } from "../src/inspect/explain.ts";
import { errorWord, withExamples } from "./help.ts";
import {
  addInside,
  type InsideFlags,
  layered,
  mustHaveLayers,
  mustHaveNoLayer,
  withInside,
} from "./inside.ts";
import { integer } from "./parse-values.ts";
import { complain, print, say } from "./say.ts";

const MAX_LAYER = 65_535;

interface ExplainFlags extends InsideFlags {
  readonly layer?: number;
  readonly json: boolean;
  readonly bytes: boolean;
}

/** `nydus-image-ts explain`: who put this file here. */
export function addExplain(program: Command): void {
  const command = addInside(program.command("explain"))
    .argument("<name...>", "paths in the image, from its root")
    .description("say which layer brought a file, what is hidden below it, and where its bytes lie")
    .option("--layer <N>", "as after this layer, counted from 1, the lowest", integer(1, MAX_LAYER))
    .option("-b, --bytes", "exact sizes", false)
    .option("--json", "one JSON document a path", false)
    .action(async (image: string, paths: string[], flags: ExplainFlags) => {
      const found = await withInside(image, flags, command, async (inside) => {
        if (inside.kind === "layers") {
          const { layer } = flags;
          if (layer !== undefined) mustHaveLayers(inside.layers, layer, `--layer ${layer}`);
          const layers = await layered(inside.layers, layer);
          const { explain } = await import("../src/inspect/explain.ts");
          return showAll(paths, (path) => explain(layers, path), flags);
        }
        mustHaveNoLayer(flags.layer);
        const { explainBare } = await import("../src/inspect/explain-bare.ts");
        const { openImageView } = await import("../src/inspect/image-view.ts");
        const view = openImageView(inside.bootstrap);
        return showAll(paths, (path) => explainBare(view, path), flags);
      });
      if (!found) process.exitCode = 1;
    });
  withExamples(
    command,
    "nydus-image-ts explain saved.tar /etc/passwd",
    "nydus-image-ts explain base.tar --over app.tar.gz /srv/app /root/.ssh/id_ed25519",
    "nydus-image-ts explain oci-layout --ref app:1.0 /bin/sh --json",
  );
}

/** Shows what there is of each path. @returns whether all were found */
async function showAll(
  paths: readonly string[],
  look: (path: string) => Explained,
  { json, bytes }: ExplainFlags,
): Promise<boolean> {
  const { explainText, layersText } = await import("../src/inspect/explain-text.ts");
  const { explainRecord } = await import("../src/inspect/explain-json.ts");
  const { sizeText } = await import("../src/inspect/size-text.ts");
  const { layersNamed } = await import("../src/inspect/explain.ts");
  const all: Explained[] = [];
  for (const path of paths)
    try {
      const explained = look(path);
      all.push(explained);
      if (json) say(JSON.stringify(explainRecord(explained)));
      else print(explainText(explained, bytes ? String : sizeText));
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      complain(errorWord("Error:"), error.message);
    }
  if (!json) print(layersText(layersNamed(all)));
  return all.length === paths.length;
}
