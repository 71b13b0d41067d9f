import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { emptyDir } from "../support/daemon.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/src/path-bytes/program.js", import.meta.url));

/** Runs a module in a directory of its own, with `name` and `dir`, whose names are no UTF-8; what it prints. */
function runs(script: string): unknown {
  const setUp = `import ${JSON.stringify(PROGRAM)};
    import * as fs from "node:fs"; import * as promises from "node:fs/promises"; import * as child from "node:child_process";
    import { promisify } from "node:util"; import { join, resolve } from "node:path"; import net from "node:net";
    const name = "n\\udce9\\udcff", dir = resolve(name); fs.mkdirSync(dir);
    const got = await (async () => { ${script} })(); console.log(JSON.stringify(got));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", setUp], {
    cwd: emptyDir(),
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

describe("paths of any bytes", () => {
  const NAME = "n\udce9\udcff";
  const cases: [name: string, script: string, want: unknown][] = [
    ["are those of the bytes", 'return Array.from(fs.readdirSync(".", "buffer")[0])', [0x6e, 0xe9, 0xff]],
    ["in lists", 'return [fs.readdirSync("."), await promises.readdir(".")]', [[NAME], [NAME]]],
    [
      "in lists with types",
      'return fs.readdirSync(".", { withFileTypes: true }).map((e) => [e.name, e.isDirectory()])',
      [[NAME, true]],
    ],
    [
      "in links",
      'fs.symlinkSync(name, "l"); return [fs.readlinkSync("l"), await promises.readlink("l")]',
      [NAME, NAME],
    ],
    [
      "when they are resolved",
      'fs.symlinkSync(name, "l"); return [fs.realpathSync("l") === dir, (await promises.realpath("l")) === dir]',
      [true, true],
    ],
    [
      "when they are written, read, renamed and removed",
      `const a = join(dir, name), b = join(dir, "b"); await promises.writeFile(a, "x"); fs.renameSync(a, b);
       const text = fs.readFileSync(b, "utf8"); await promises.rm(b); return [text, fs.existsSync(b)]`,
      ["x", false],
    ],
    [
      "when they are streamed",
      `const a = join(dir, name); fs.writeFileSync(a, "abc"); let text = "";
       for await (const piece of fs.createReadStream(a)) text += piece; return text`,
      "abc",
    ],
    ["as temporary directories", "return fs.mkdtempSync(join(dir, name)).startsWith(join(dir, name))", true],
    [
      "in errors, as they were given",
      `const said = []; for (const call of [() => fs.openSync(join(name, "a")), () => promises.stat(join(name, "a"))])
         try { await call() } catch (error) { said.push(error.message) } return said`,
      [
        `ENOENT: no such file or directory, open '${NAME}/a'`,
        `ENOENT: no such file or directory, stat '${NAME}/a'`,
      ],
    ],
    [
      "for programs that are started, and where they start",
      `const args = ["-c", 'printf "%s\\\\n" "$1" "\${PWD##*/}"', "sh", "it's " + name + " 50%\\n"];
       const hex = (text) => Buffer.from(text, "latin1").toString("hex"), options = { cwd: dir, encoding: "latin1" };
       const { stdout } = await promisify(child.execFile)("sh", args, options);
       return [hex(stdout), hex(child.spawnSync("sh", args, options).stdout)]`,
      [0, 1].map(() => Buffer.from("it's n\xe9\xff 50%\n\nn\xe9\xff\n", "latin1").toString("hex")),
    ],
    [
      "for programs that are not there",
      'return [child.spawnSync("/none/" + name, [name]).error.code, child.spawnSync("no-such-program", [name]).error.code]',
      ["ENOENT", "ENOENT"],
    ],
    [
      "for sockets, which leave nothing",
      `const path = join(dir, name); const server = net.createServer((s) => s.end("hello")); server.listen(path);
       await new Promise((done) => server.once("listening", done)); const client = net.connect(path); let text = "";
       for await (const piece of client) text += piece; await new Promise((done) => server.close(done));
       return [text, fs.readdirSync(dir)]`,
      ["hello", []],
    ],
  ];
  it.each(cases)("%s", (_, script, want) => expect(runs(script)).toEqual(want));

  it("in the working directory, also one that is gone", () => {
    const script = `import ${JSON.stringify(PROGRAM)}; import { resolve } from "node:path"; console.log(JSON.stringify(resolve("a")))`;
    const file = join(emptyDir(), "resolve.mjs");
    writeFileSync(file, script);
    const go = (shell: string) =>
      spawnSync(
        "bash",
        ["-c", `cd "$1"; ${shell}; exec "$2" "$3"`, "bash", emptyDir(), process.execPath, file],
        {
          encoding: "utf8",
        },
      ).stdout;
    expect(go("mkdir $'\\xe9'; cd $'\\xe9'")).toMatch(/\\udce9\/a"\n$/);
    expect(go('rmdir "$PWD"')).toMatch(/^"\/proc\/\d+\/fdinfo\/a"\n$/);
  });

  it("as arguments", () => {
    const script = `import ${JSON.stringify(PROGRAM)}; console.log(JSON.stringify(process.argv.slice(2)))`;
    const words = `"$1" --input-type=module -e "$2" script -- a $'\\xe9' '' $'\\xff b' é`;
    const { stdout } = spawnSync("bash", ["-c", words, "bash", process.execPath, script], {
      encoding: "utf8",
    });
    expect(JSON.parse(stdout)).toEqual(expect.arrayContaining(["\udce9", "", "\udcff b", "é"]));
  });
});
