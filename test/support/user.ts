import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMAND, workDir } from "./daemon.ts";
import { fixture } from "./image.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** "nobody" of every Linux. */
export const USER = 65534;

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** A copy of the program, its packages and an image that everybody may read, and a directory of the user's. */
export function forUser() {
  const dir = workDir();
  chmodSync(dir, 0o755);
  const program = join(dir, "program");
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lockfile;
  for (const [path, { dev = false }] of Object.entries(packages))
    if (path !== "" && !dev && existsSync(join(ROOT, path)))
      cpSync(join(ROOT, path), join(program, path), { recursive: true });
  const bundle = join(program, "dist/bundle");
  cpSync(dirname(COMMAND), bundle, { recursive: true });
  // Node may lie in a home directory.
  const node = join(dir, "node");
  cpSync(realpathSync(process.execPath), node);
  const { path, devices, entries } = fixture("01-basic");
  for (const file of [path, ...devices]) cpSync(file, join(dir, basename(file)));
  const mountpoint = join(dir, "mnt");
  mkdirSync(mountpoint);
  chownSync(mountpoint, USER, USER);
  const sha256 = entries.find((e) => e.path === "/etc/b4097")?.sha256;
  return {
    node,
    command: join(bundle, basename(COMMAND)),
    dir,
    mountpoint,
    tar: basename(devices[0]),
    sha256,
  };
}
