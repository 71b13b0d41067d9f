import { basename, join } from "node:path";
import { getRawAsset } from "node:sea";
import { pathToFileURL } from "node:url";
import { urlFor } from "./names.ts";
import { type Part, withUnpacked } from "./unpacked.ts";

/** Where a thread's code is said to lie: see `threads.ts`. */
export const THREAD = "one-file:";

/** An asset's bytes, where they are. */
export const bytesOf = (asset: string): Buffer => Buffer.from(getRawAsset(asset) as ArrayBuffer);
/** Of an asset of plain characters, which all are. */
export const textOf = (asset: string): string => bytesOf(asset).toString("latin1");

const partOf = (name: string): Part => {
  const { files } = JSON.parse(textOf("manifest.json")) as { files: Record<string, string> };
  const digest = files[name];
  if (digest === undefined) throw new Error(`there is no ${name} in this executable`);
  return { name, digest, bytes: bytesOf(name) };
};

/** Handed to a program as `__parts`: what it would find beside itself otherwise. `bin/bundle-one-file.mjs` puts the calls in. */
export class Parts {
  private readonly path: string;
  private readonly file: string;

  /**
   * @param path by which the executable was called
   * @param file the executable, without links
   */
  constructor(path: string, file: string) {
    this.path = path;
    this.file = file;
  }

  /** @param relative as to `new URL`; a thread, a program, or a file that is unpacked for that */
  url(relative: string): URL {
    const name = basename(relative);
    if (name.endsWith(".js")) return new URL(`${THREAD}${name}`);
    if (name.endsWith(".mjs")) return urlFor(basename(name, ".mjs"), this.path, this.file);
    return withUnpacked(partOf(name), pathToFileURL);
  }

  text(relative: string): string {
    return textOf(basename(relative));
  }

  /** @returns what an addon exports */
  addon(name: string): unknown {
    return withUnpacked(partOf(name), (path) => {
      const module = { exports: {} };
      process.dlopen(module, path);
      return module.exports;
    });
  }

  /** A file of a package whose libraries lie below it. */
  resolve(name: string): string {
    const library = `prebuilds/${process.platform}-${process.arch}/libfuse.so`;
    return withUnpacked(
      partOf(library),
      (path) => pathToFileURL(join(path.slice(0, -library.length), name)).href,
    );
  }
}
