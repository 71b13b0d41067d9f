import { dirname } from "node:path";
import { Script } from "node:vm";
import { isMainThread } from "node:worker_threads";
import { calledBy } from "./names.ts";
import { bytesOf, Parts, textOf } from "./parts.ts";
import { threads } from "./threads.ts";

/**
 * What Node runs in the executable that has all in it (docs/decisions/0031-one-file.md), at the start of each of its threads: the
 * program of the name that it was called by, or the thread's code, with its compiled code.
 */
const builtinOf = (name: string): unknown =>
  name === "node:worker_threads" ? threads : process.getBuiltinModule(name);

const file = process.execPath;

function run(name: string, parts: Parts): void {
  const cachedData = bytesOf(`${name}.cache`);
  // Of another machine's V8 it is not taken, and the code is compiled.
  const script = new Script(textOf(name), { filename: name, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, builtinOf, module, dirname(file), parts);
}

if (isMainThread) {
  const { program, path, script, words } = calledBy(process.argv0, process.argv.slice(2), file);
  if (words !== undefined) {
    process.execPath = path;
    process.argv = [path, script, ...words];
    run(`${program}.js`, new Parts(path, file));
  }
} else run(process.argv[2] ?? "", new Parts(file, file));
