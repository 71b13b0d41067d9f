// compiled-code.mjs SCRIPT CACHE BUILD WORD…: what V8 has compiled of a script of the executable (bin/bundle-one-file.mjs) when it
// has run with these words, to CACHE; without any, of what it begins with. A run by itself, since a script is run once in a process;
// what it says is not wanted. What is in there is all loaded at each start: so it is what a start needs, not everything.
import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

const [script, cache, build, ...words] = process.argv.slice(2);
const name = basename(script);
const compiled = new Script(readFileSync(script, "latin1"), { filename: name });
const write = () => {
  // Code of a V8 with other flags than it begins with is not taken: bin/compile-later.ts sets one.
  setFlagsFromString("--interrupt-budget=67584");
  writeFileSync(cache, compiled.createCachedData());
};

if (words.length === 0) write();
else {
  process.on("exit", write);
  process.argv = [process.execPath, process.execPath, ...words];
  const missing = (what) => {
    throw new Error(`${what} is not here yet`);
  };
  const parts = {
    text: () => readFileSync(build, "utf8"),
    url: () => new URL("file:///"),
    addon: missing,
    resolve: missing,
  };
  const module = { exports: {} };
  const load = (id) => process.getBuiltinModule(id);
  compiled.runInThisContext()(module.exports, load, module, dirname(script), parts);
}
