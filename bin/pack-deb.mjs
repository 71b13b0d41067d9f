// npm run pack:deb: makes dist/nydusd-ts_VERSION_ARCH.deb of the executable that `npm run pack:exe` has made
// (docs/decisions/0031-one-file.md), with man pages, completion, units and these pages.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { debOf } from "./deb.mjs";
import { packed } from "./packed.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { version, description, man } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const read = (path) => readFileSync(join(root, path));
const executable = packed(root, version);
const program = readFileSync(executable);

const NAMES = ["nydusd-ts", "nydus-image-ts", "nydusctl-ts", "nydus-snapshotter-ts"];
/** What Debian calls what Node calls otherwise. */
const ARCHITECTURES = { x64: "amd64", arm64: "arm64", ppc64: "ppc64el", s390x: "s390x", riscv64: "riscv64" };
/** Libraries that Nodes want, some of them: a name in the table of the executable, and the package that has it. */
const LIBRARIES = {
  "libstdc++.so.6": "libstdc++6",
  "libgcc_s.so.1": "libgcc-s1",
  "libatomic.so.1": "libatomic1",
};
const COMPLETIONS = {
  bash: (name) => `usr/share/bash-completion/completions/${name}`,
  zsh: (name) => `usr/share/zsh/vendor-completions/_${name}`,
  fish: (name) => `usr/share/fish/vendor_completions.d/${name}.fish`,
};
const RELOAD = "#!/bin/sh\nif [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi\n";

const files = {
  "usr/bin/nydusd-ts": { bytes: program, mode: 0o755 },
  "usr/sbin/mount.nydusd-ts": { link: "../bin/nydusd-ts" },
  "usr/share/doc/nydusd-ts/copyright": { bytes: readFileSync(`${executable}.copyright`) },
  "usr/share/doc/nydusd-ts/changelog.gz": { bytes: gzipSync(read("CHANGELOG.md"), { level: 9 }) },
};
for (const name of NAMES) {
  if (name !== "nydusd-ts") files[`usr/bin/${name}`] = { link: "nydusd-ts" };
  for (const [shell, path] of Object.entries(COMPLETIONS))
    files[path(name)] = { bytes: execFileSync(executable, [name, "completion", shell]) };
}
for (const page of man) {
  const [, section] = /\.(\d)$/.exec(page);
  files[`usr/share/man/man${section}/${page.replace(/.*\//, "")}.gz`] = {
    bytes: gzipSync(read(page), { level: 9 }),
  };
}
for (const unit of readdirSync(join(root, "docs/systemd")))
  files[`usr/lib/systemd/system/${unit}`] = { bytes: read(`docs/systemd/${unit}`) };
for (const page of readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }))
  if (page.endsWith(".md")) files[`usr/share/doc/nydusd-ts/${page}`] = { bytes: read(`docs/${page}`) };

const libraries = Object.entries(LIBRARIES).flatMap(([name, of]) =>
  program.includes(`\0${name}\0`) ? [of] : [],
);
const fields = {
  Package: "nydusd-ts",
  Version: version,
  Architecture: ARCHITECTURES[process.arch],
  Maintainer: "nydusd-ts <nydusd-ts@localhost>",
  Section: "admin",
  Priority: "optional",
  Depends: ["libc6 (>= 2.28)", ...libraries].join(", "),
  Description: `${description.replace(/:.*/, "")}\n ${description}.`,
};
const path = join(root, "dist", `nydusd-ts_${version}_${fields.Architecture}.deb`);
writeFileSync(
  path,
  await debOf(fields, files, { postinst: RELOAD, prerm: read("bin/deb-prerm.sh"), postrm: RELOAD }),
);
console.log(path);
