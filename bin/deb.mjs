// A Debian package, written by hand: an ar(5) of two tars. As deb(5) has it, without what only dpkg-deb has.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** Who builds it, and when, is not in it. */
const TIME = new Date(0);

/** @param entries paths below `/` to bytes or `{ link }`, a mode above 0o644 as `{ bytes, mode }` */
async function tarOf(entries) {
  const tar = pack();
  const chunks = [];
  const done = (async () => {
    for await (const chunk of tar) chunks.push(chunk);
  })();
  const directories = new Set();
  const add = (header, bytes) =>
    new Promise((resolve, reject) => {
      tar.entry({ mtime: TIME, uname: "root", gname: "root", ...header }, bytes, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  for (const [path, { bytes, mode = 0o644, link }] of Object.entries(entries).sort(([a], [b]) =>
    a < b ? -1 : 1,
  )) {
    const parts = path.split("/");
    for (let n = 0; n < parts.length; n++) {
      const directory = `./${parts
        .slice(0, n)
        .map((part) => `${part}/`)
        .join("")}`;
      if (!directories.has(directory)) await add({ name: directory, type: "directory", mode: 0o755 });
      directories.add(directory);
    }
    if (link !== undefined) await add({ name: `./${path}`, type: "symlink", linkname: link, mode: 0o777 });
    else await add({ name: `./${path}`, mode }, Buffer.from(bytes));
  }
  tar.finalize();
  await done;
  return gzipSync(Buffer.concat(chunks));
}

/** Of an ar archive: name, date, owner, group, mode, size, and two bytes of its own. */
const member = (name, bytes) => [
  Buffer.from(
    `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${`${bytes.length}`.padEnd(10)}\`\n`,
  ),
  bytes,
  Buffer.from(bytes.length % 2 === 0 ? "" : "\n"),
];

/**
 * @param fields of its control file
 * @param files what it installs, see `tarOf`
 * @param scripts of its maintainer, by their names
 */
export async function debOf(fields, files, scripts) {
  const sums = Object.entries(files).flatMap(([path, { bytes }]) =>
    bytes === undefined ? [] : [`${createHash("md5").update(bytes).digest("hex")}  ${path}\n`],
  );
  const size = Object.values(files).reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  const control = Object.entries({ ...fields, "Installed-Size": Math.ceil(size / 1024) });
  const data = await tarOf(files);
  const meta = await tarOf({
    control: { bytes: control.map(([name, value]) => `${name}: ${value}\n`).join("") },
    md5sums: { bytes: sums.join("") },
    ...Object.fromEntries(Object.entries(scripts).map(([name, bytes]) => [name, { bytes, mode: 0o755 }])),
  });
  return Buffer.concat([
    Buffer.from("!<arch>\n"),
    ...member("debian-binary", Buffer.from("2.0\n")),
    ...member("control.tar.gz", meta),
    ...member("data.tar.gz", data),
  ]);
}
