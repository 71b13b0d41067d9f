import { mkdtempSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stopFirst } from "../atomic-file/clean-up.ts";
import { packDirectory } from "../tar/pack.ts";
import { type PreparedImage, prepareImage } from "./prepare.ts";

/** An image made of a directory of this host, and what it took. */
export interface DemoImage extends PreparedImage {
  readonly tarBytes: number;
  readonly bootstrapBytes: number;
  /** From the finished tar to the finished bootstrap. */
  readonly ms: number;
}

/**
 * Makes a tar of a directory, and an image of that, for as long as `use` takes.
 *
 * @throws what making them throws; nothing is left behind in any case
 */
export async function withDemoImage<T>(dir: string, use: (demo: DemoImage) => Promise<T>): Promise<T> {
  let work: string | undefined;
  const remove = async () => {
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  };
  const mayLeave = stopFirst(remove); // before there is a directory: a signal may come at once
  try {
    work = mkdtempSync(join(tmpdir(), "nydusd-ts-demo-"));
    const demo = await make(dir, work);
    mayLeave(); // from here on signals are for `use`
    return await use(demo);
  } finally {
    mayLeave();
    await remove();
  }
}

async function make(dir: string, work: string): Promise<DemoImage> {
  const tar = join(work, "layer.tar");
  await packDirectory(dir, tar);
  const from = performance.now();
  const prepared = await prepareImage({
    paths: [tar],
    cacheDir: join(work, "cache"),
    blobDirs: [],
    report: { start: () => {}, ready: () => {}, stop: () => {} },
    warn: () => {},
  });
  const ms = performance.now() - from;
  const sizeOf = (path: string) => statSync(path).size;
  return { ...prepared, tarBytes: sizeOf(tar), bootstrapBytes: sizeOf(prepared.bootstrap), ms };
}
