import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sh, workDir } from "../support/daemon.ts";

/*
 * A virtual machine: Debian's own kernel, an initramfs with busybox and dmsetup, emulated CPUs, disks and a console. What is in
 * a guest is what a script there prints.
 */

const CACHE = fileURLToPath(new URL("../../.cache/tools/guest/", import.meta.url));

/** Why there is no guest here. */
export const NO_GUEST = existsSync(join(CACHE, "vmlinuz"))
  ? undefined
  : `there is no kernel for guests: test/guest.sh gets Debian's, on x86-64`;

/** Longest that a guest may take: of 10 s on an idle machine. */
const GUEST_MS = 240_000;

/** In the order in which they can be loaded, but for what each depends on. */
const MODULES = ["virtio_pci", "virtio_blk", "crc32c_generic", "erofs", "overlay", "dm-verity"];

/** What QEMU is told of a disk. */
export const rawDisk = (path: string): string => `file=${path},format=raw,if=virtio,readonly=on`;
export const nbdDisk = (socket: string): string =>
  `driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=${socket},if=virtio,readonly=on`;

/** Options of a disk with sectors of 4096 bytes, the last one of the guest: it comes behind all others on their bus. */
export const largeSectors = (path: string): readonly string[] => [
  ...["-drive", `file=${path},format=raw,if=none,id=large,readonly=on`],
  ...["-device", "virtio-blk-pci,addr=0x10,drive=large,logical_block_size=4096,physical_block_size=4096"],
];

/**
 * Boots a guest, which runs a script of busybox's shell and ends.
 *
 * @param drives options of QEMU's `-drive`; the first one is `/dev/vda`
 * @param more modules of the kernel, options of QEMU, and how long it may take, ms
 * @returns what came over the console behind the boot messages
 */
export async function guest(
  script: string,
  drives: readonly string[],
  {
    modules = [],
    options = [],
    most = GUEST_MS,
  }: {
    readonly modules?: readonly string[];
    readonly options?: readonly string[];
    readonly most?: number;
  } = {},
): Promise<string> {
  const initrd = initramfs(script, [...MODULES, ...modules]);
  const child = spawn(
    "qemu-system-x86_64",
    [
      ...[
        "-accel",
        "tcg",
        "-m",
        "512",
        "-smp",
        "1",
        "-nodefaults",
        "-nographic",
        "-no-reboot",
        "-serial",
        "stdio",
      ],
      ...["-kernel", join(CACHE, "vmlinuz"), "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1"],
      ...drives.flatMap((drive) => ["-drive", drive]),
      ...options,
    ],
    { stdio: ["ignore", "pipe", "pipe"], timeout: most, killSignal: "SIGKILL" },
  );
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => {
      text += bytes.toString().replaceAll("\r", "");
    });
  await once(child, "close");
  if (!text.includes("\nguest: end\n")) throw new Error(`the guest did not end: ${text.slice(-4000)}`);
  return text.slice(text.indexOf("guest: begin\n") + "guest: begin\n".length, text.indexOf("guest: end\n"));
}

/** @returns the path of an archive of a root file system whose init is the script */
function initramfs(script: string, modules: readonly string[]): string {
  const dir = workDir();
  const root = join(dir, "root");
  for (const each of ["bin", "dev", "proc", "sys", "mnt", "tmp", "modules"])
    mkdirSync(join(root, each), { recursive: true });
  copyFileSync(join(CACHE, "busybox"), join(root, "bin/busybox"));
  for (const program of ["dmsetup"]) copyProgram(program, root);
  const paths = sh('find "$D" -name "*.ko"', { D: join(CACHE, "modules") })
    .trim()
    .split("\n");
  const loaded = new Map<string, string>();
  for (const name of modules) load(name, new Map(paths.map((path) => [nameOf(path), path])), loaded);
  for (const [name, path] of loaded) copyFileSync(path, join(root, "modules", `${name}.ko`));
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
for module in ${[...loaded.keys()].join(" ")}; do insmod /modules/$module.ko; done
echo; echo "guest: begin"
${script}
echo "guest: end"
reboot -f
`;
  writeFileSync(join(root, "init"), init);
  chmodSync(join(root, "init"), 0o755);
  const initrd = join(dir, "initrd.gz");
  sh('cd "$R"; find . | cpio --quiet -o -H newc | gzip -1 >"$I"', { R: root, I: initrd });
  return initrd;
}

/** Copies a dynamically linked program of this machine, and its libraries. */
export function copyProgram(program: string, root: string, name = program): void {
  const path = sh('command -v "$P"', { P: program }).trim();
  copyFileSync(path, join(root, "bin", name));
  const libraries = sh('ldd "$P"', { P: path }).matchAll(/(\/\S+) \(0x/g);
  for (const [, library = ""] of libraries) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
}

/** Lines that a guest printed about one thing. */
export const section = (output: string, name: string): string[] =>
  output
    .split("\n")
    .filter((line) => line.startsWith(`${name}| `))
    .map((line) => line.slice(name.length + 2));

/** The kernel takes one for the other. */
const nameOf = (path: string): string => basename(path, ".ko").replaceAll("-", "_");

/** Adds a module behind those that it says it depends on; what is no module is built in. */
function load(name: string, paths: ReadonlyMap<string, string>, loaded: Map<string, string>): void {
  const key = nameOf(name);
  const path = paths.get(key);
  if (path === undefined || loaded.has(key)) return;
  const [, depends = ""] = /\0depends=([^\0]*)\0/.exec(readFileSync(path, "latin1")) ?? [];
  for (const other of depends.split(",").filter((each) => each !== "")) load(other, paths, loaded);
  loaded.set(key, path);
}
