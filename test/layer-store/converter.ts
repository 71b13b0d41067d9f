import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LayerStore } from "../../src/layer-store/layer-store.ts";

/*
 * Converts and merges what lies in a directory, over and over, until it is killed: for tests that cut it off. Says what was done
 * when the store has said so: "layer <diffID>", "merged <key>", "removing <diffID>" before it is.
 */
const [root = "", blobs = ""] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const store = await LayerStore.open(root, { info: say, warn: say });
const { signal } = new AbortController();
say("open");
for (;;) {
  const converted = await Promise.all(
    readdirSync(blobs).map(async (name) => {
      const file = join(blobs, name);
      const size = statSync(file).size;
      const isFile = size % 2 === 0;
      const source = isFile
        ? { file }
        : {
            stream: async function* () {
              yield readFileSync(file);
            },
          };
      const layer = await store.convert(
        { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: `sha256:${name}`, size, ...source },
        signal,
      );
      say(`layer ${layer.diffId}`);
      return layer.diffId;
    }),
  );
  const { key } = await store.merge(converted, signal);
  say(`merged ${key}`);
  await store.remove("merged", key);
  for (const diffId of converted) {
    say(`removing ${diffId}`);
    await store.remove("layer", diffId);
  }
}
