import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LayeredImage } from "../../src/layers/layered-image.ts";
import { createLayerImage } from "../../src/mkfs/create.ts";
import type { PreparedLayer } from "../../src/source/prepare.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { type Made, tarOf } from "../mkfs/emit.ts";
import { linesOf, type Lines } from "../unpackers/compare.ts";

/** Layers by themselves: each a tar and a bootstrap in a directory. */
export async function layersOf(stack: readonly (readonly Made[])[], dir: string): Promise<PreparedLayer[]> {
  const layers: PreparedLayer[] = [];
  for (const [i, entries] of stack.entries()) {
    const path = join(dir, `${i}.tar`);
    writeFileSync(path, tarOf(entries));
    const bootstrap = join(dir, `${i}.boot`);
    const { image } = await createLayerImage({
      ...{ layer: wholeFile(path), isOfImage: true, blobId: `${i}`, blobDir: undefined, blobLink: "none" },
      ...{ chunkSize: 0x10_0000, isRepeatable: false, ignoreZeros: false, prefetch: [] },
      ...{ whiteouts: "oci", warn: () => {} },
    });
    writeFileSync(bootstrap, image);
    layers.push({ id: `${i}`, bootstrap, tar: { path, at: 0 }, side: undefined, made: undefined });
  }
  return layers;
}

/** What was there when so many layers had been laid, as the unpackers' trees are compared. */
export function linesAfter(image: LayeredImage, layers: number): Lines {
  const { versions, tree } = image;
  const first = new Map<number, string>();
  const entries = [];
  for (let v = 0; v < versions.count; v++) {
    const [layer, ended] = [versions.layer[v], versions.endedIn[v]];
    if (!versions.isVersion(v) || layer > layers || (ended !== 0 && ended <= layers)) continue;
    const path = Buffer.from(image.path(versions.node[v])).toString();
    const found = image.of(versions.node[v]).find((one) => one.layer === layer);
    if (found === undefined) throw new Error(`${path}: no version of layer ${layer}`);
    const { mode, uid, gid, mtime, target, pieces } = found;
    const isFile = (mode & 0xf000) === 0x8000;
    const data = pieces.map(({ blobId, dataAt, length }) =>
      readFileSync(image.layers[Number(blobId)].tar.path)
        .subarray(dataAt, dataAt + length)
        .toString(),
    );
    const inode = versions.inode[v];
    entries.push({
      ...{ path, mode, uid, gid, mtime, inode },
      ...(isFile ? { data: data.join("") } : {}),
      ...(target === undefined ? {} : { target: Buffer.from(target).toString() }),
    });
  }
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  const named = entries.map(({ inode, ...entry }) => {
    const isDirectory = tree.mode[inode] >> 12 === 4;
    const same = isDirectory ? entry.path : (first.get(inode) ?? entry.path);
    first.set(inode, same);
    return { ...entry, same };
  });
  return linesOf({ entries: named }) ?? [];
}
