import { arch } from "node:os";

/** What the lines are made of. */
export interface Wanted {
  readonly name: string;
  readonly address: string;
  readonly root: string;
  /** `linux/amd64` */
  readonly platform: string;
  /** Of containerd: major and minor. */
  readonly version: readonly [number, number];
  readonly capabilities: readonly string[];
}

/** @param hasErofs the kernel mounts images: it maps ids of such mounts */
export function wantedOf(
  { name, address, root }: Pick<Wanted, "name" | "address" | "root">,
  version: readonly [number, number],
  hasErofs: boolean,
): Wanted {
  const isAtLeast = (major: number, minor: number) =>
    version[0] > major || (version[0] === major && version[1] >= minor);
  const capabilities = [
    ...(isAtLeast(2, 2) ? ["rebase"] : []),
    ...(isAtLeast(2, 1) && hasErofs ? ["remap-ids"] : []),
  ];
  const platform = `linux/${PLATFORMS[arch()] ?? arch()}`;
  return { name, address, root, platform, version, capabilities };
}

/** Where Go's names of CPUs are not Node's. */
const PLATFORMS: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
