// The licences of all that is in the executable (docs/decisions/0031-one-file.md): what the packages have of them, and Node. Beside
// it, since nothing else of them is there, and in the Debian package.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const LICENCE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
/** Where Node's distributions have theirs, from the directory of the program. */
const NODE_LICENCES = ["LICENSE", "../LICENSE", "../share/doc/nodejs/LICENSE"];
const NODE_BEGINS = /^Node\.js is licensed for use as follows/;
/** Of a file without a licence of its own beside it. */
const HEAD = /^(?:#!.*\n)?((?:\/\/.*\n)+|\/\*(?:.|\n)*?\*\/\n)/;

/** Files below a package; what lies in its node_modules are packages of their own. */
function filesBelow(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

/** @returns the texts, each once: of files of licences, or else of what the code begins with */
function textsOf(dir) {
  const paths = filesBelow(dir).sort();
  const licences = paths.filter((path) => LICENCE.test(basename(path)));
  const texts = licences.map((path) => readFileSync(path, "utf8").trim());
  if (texts.length > 0) return new Set(texts);
  const code = paths.filter((path) => /\.[cm]?js$/.test(path));
  const heads = code.map((path) => HEAD.exec(readFileSync(path, "utf8"))?.[1]?.trim() ?? "");
  return new Set(heads.filter((head) => /copyright/i.test(head)));
}

function ofPackage(root, path) {
  const { name, version, license, author, repository } = JSON.parse(
    readFileSync(join(root, path, "package.json"), "utf8"),
  );
  const texts = textsOf(join(root, path));
  const by = typeof author === "string" ? author : author?.name;
  const from = typeof repository === "string" ? repository : repository?.url;
  const alone = `It has no text of its licence. ${[by && `By ${by}.`, from].filter(Boolean).join(" ")}`;
  return [`${name} ${version}: ${license}`, ...(texts.size > 0 ? texts : [alone.trim()])].join("\n\n");
}

/** @param node the program */
function ofNode(node) {
  const paths = NODE_LICENCES.map((path) => join(dirname(node), path));
  const found = paths.find((path) => existsSync(path) && NODE_BEGINS.test(readFileSync(path, "utf8")));
  const where = `https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
  const text = found === undefined ? `The text did not lie beside it: ${where}` : readFileSync(found, "utf8");
  return `Node.js ${process.version}\n\n${text.trim()}`;
}

/** Its text comes with none of the packages; Debian has it. */
const LGPL = "/usr/share/common-licenses/LGPL-2.1";
function ofLibfuse() {
  const text = existsSync(LGPL)
    ? readFileSync(LGPL, "utf8")
    : "https://www.gnu.org/licenses/old-licenses/lgpl-2.1.txt";
  return `libfuse 2.9.9: LGPL-2.1-only\n\n${text.trim()}`;
}

const RULE = `\n\n${"-".repeat(80)}\n\n`;

/**
 * @param root of the clone, whose node_modules are as package-lock.json has them
 * @param node the program that is copied into the executable
 */
export function copyright(root, node = process.execPath) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const paths = Object.entries(packages).flatMap(([path, { dev }]) =>
    path !== "" && !dev && existsSync(join(root, path)) ? [path] : [],
  );
  const own = ["NOTICE", "LICENSE"].map((name) => readFileSync(join(root, name), "utf8").trim());
  return `${[...own, ofNode(node), ofLibfuse(), ...paths.map((path) => ofPackage(root, path))].join(RULE)}\n`;
}
