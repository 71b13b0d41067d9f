import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What follows `from`, `import` and `import(`, and the file of a worker thread. */
const IMPORT = /(?<!\.)\b(?:from|import)\s*\(?\s*"([^"]+)"|new URL\("([^"]+\.[jt]s)"/g;

export interface SourceFile {
  /** `src/erofs/image.ts` */
  readonly path: string;
  /** `erofs/image` */
  readonly name: string;
  /** `erofs` */
  readonly room: string;
  readonly text: string;
  /** As they are written, types included. */
  readonly imports: readonly string[];
}

export function sourceFile(path: string, text: string): SourceFile {
  const name = path.replace(/^src\//, "").replace(/\.ts$/, "");
  const imports = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? "");
  return { path, name, room: firstOf(name), text, imports };
}

/** Every TypeScript file of src/ and bin/. */
export const sourceFiles = (): SourceFile[] =>
  ["src", "bin"].flatMap((dir) =>
    readdirSync(join(ROOT, dir), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => join(dir, path))
      .map((path) => sourceFile(path, readFileSync(join(ROOT, path), "utf8"))),
  );

/** Every folder of src/, and bin. */
export const roomFolders = (): string[] => [...readdirSync(join(ROOT, "src")), "bin"];

/** The room that a relative import leads to; undefined for packages and builtins. */
export const roomOf = ({ path }: SourceFile, specifier: string): string | undefined =>
  specifier.startsWith(".") ? firstOf(join(dirname(path), specifier).replace(/^src\//, "")) : undefined;

const firstOf = (path: string): string => path.split("/", 1)[0] ?? "";
