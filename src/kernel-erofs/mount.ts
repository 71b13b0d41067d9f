import { closeSync } from "node:fs";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { fsconfig, fscreate, fsmount, fsopen, messages, moveMount } from "../syscalls/mount-api.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { type BackingNames, type Backing, backedByFiles, backedByLoops, mustBeWhole } from "./backing.ts";
import { type KernelOptions, kernelOptions } from "./options.ts";
import { withNamedSource } from "./named-source.ts";
import { unchangeable } from "./private-copy.ts";
import { proveMount } from "./prove.ts";

/** A mount that shows the image, and is nowhere yet: closing it, or the end of the process, is its end. */
export interface DetachedMount {
  readonly backing: Backing;
  /** @throws Error when it cannot be put there */
  attach(mountpoint: string): void;
  /** To be called in any case; what was attached stays. */
  close(): void;
}

/** What to change, by error. */
const ADVICE: Readonly<Record<string, string>> = {
  ENODEV: "this kernel has no EROFS (CONFIG_EROFS_FS)",
  ENOSYS: "this kernel has no mount calls of Linux 5.2",
  EPERM: "mounting EROFS takes root, of the host",
  ENOTBLK: "this kernel takes no image from a file (before Linux 6.12, or a file on tmpfs or overlayfs)",
  EINVAL: "the kernel's log says why",
};
/** What another backing would not change. */
const FINAL = new Set(["ENODEV", "ENOSYS", "EPERM"]);

const NAMES = { file: "from files", loop: "from loop devices" } as const;

/**
 * Has the kernel mount an image that was checked, and proves that it shows what this program reads.
 *
 * @param image whose files are all held open
 * @param path of the image
 * @param name shown as the mount's source, where the kernel can be told
 * @param words mount options, as after `-o`
 * @param backings tried in this order
 * @throws OperationalError with the reason for each backing; Error when it is the image's own fault
 */
export async function mountDetached(
  image: OpenedImage,
  path: string,
  name: string,
  words: readonly string[],
  backings: readonly Backing[],
): Promise<DetachedMount> {
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) throw new OperationalError(`user ${uid} may not mount EROFS`);
  mustBeWhole(image);
  await loadSystemCalls();
  const own = unchangeable(image, path);
  try {
    return mountOwn(own.image, own.path, name, words, backings);
  } finally {
    own.close();
  }
}

function mountOwn(
  image: OpenedImage,
  path: string,
  name: string,
  words: readonly string[],
  backings: readonly Backing[],
): DetachedMount {
  const options = kernelOptions(words);
  const reasons = new Map<string, Backing[]>();
  for (const backing of backings) {
    try {
      const fd = make(
        image,
        backing === "file" ? backedByFiles(image, path) : backedByLoops(image),
        name,
        options,
      );
      return { backing, attach: (mountpoint) => moveMount(fd, mountpoint), close: () => closeSync(fd) };
    } catch (error) {
      const reason = messageOf(error);
      reasons.set(reason, [...(reasons.get(reason) ?? []), backing]);
      if (FINAL.has(codeOf(error))) break;
    }
  }
  const text = [...reasons].map(([reason, of]) => `${of.map((b) => NAMES[b]).join(" or ")}: ${reason}`);
  throw new OperationalError(`the kernel does not mount it ${text.join("; ")}`);
}

/** @returns descriptor of a proven mount */
function make(image: OpenedImage, backed: BackingNames, name: string, options: KernelOptions): number {
  let mount: number | undefined;
  try {
    mount = withNamedSource(name, backed.source, (source) => {
      mount = create(source, backed.devices, options);
      backed.verify(source);
      return mount;
    });
    proveMount(`/proc/self/fd/${mount}`, image);
    return mount;
  } catch (error) {
    if (mount !== undefined) closeSync(mount);
    throw error;
  } finally {
    backed.release();
  }
}

function create(
  source: string,
  devices: readonly string[],
  { attributes, parameters }: KernelOptions,
): number {
  const fd = explained(undefined, () => fsopen("erofs"));
  try {
    return explained(fd, () => {
      fsconfig(fd, "source", source);
      for (const device of devices) fsconfig(fd, "device", device);
      fsconfig(fd, "ro");
      for (const [key, value] of parameters) fsconfig(fd, key, value);
      fscreate(fd);
      return fsmount(fd, attributes);
    });
  } finally {
    closeSync(fd);
  }
}

/** Adds to an error what the kernel said about it, or else what it usually means. */
function explained<T>(fd: number | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const said = fd === undefined ? [] : messages(fd);
    const why = said.length > 0 ? said.join(", ") : ADVICE[codeOf(error)];
    if (why === undefined) throw error;
    throw Object.assign(new Error(`${messageOf(error)} (${why})`, { cause: error }), { code: codeOf(error) });
  }
}
