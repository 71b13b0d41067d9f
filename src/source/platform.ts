import { endianness } from "node:os";

/** What an image is made for, in the names that containerd normalises all others to. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** "" for the architecture's base level: amd64/v1, arm64/v8. */
  readonly variant: string;
  readonly osVersion: string;
  /** Each is mandatory: a platform that lacks one cannot use the image. */
  readonly osFeatures: readonly string[];
}

export interface WantedPlatform extends Platform {
  /** No variant was asked for: where there is no better one, a higher one will do. */
  readonly isAnyVariant: boolean;
}

const OS_NAMES = new Map([["macos", "darwin"]]);
const SYSTEMS = new Set(
  "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris windows zos".split(
    " ",
  ),
);
/** Other names of architectures, and the variant that goes with the name. */
const ARCHITECTURE_NAMES = new Map<string, readonly [name: string, variant?: string]>([
  ["i386", ["386", ""]],
  ["x86_64", ["amd64"]],
  ["x86-64", ["amd64"]],
  ["aarch64", ["arm64"]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
]);
const ARCHITECTURES = new Set(
  (
    "386 amd64 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le ppc ppc64 ppc64le riscv riscv64 s390 s390x " +
    "sparc sparc64 wasm"
  ).split(" "),
);
const VARIANT_NAMES = new Map([
  ["amd64/v1", ""],
  ["arm64/8", ""],
  ["arm64/v8", ""],
  ["arm64/v8.0", ""],
  ["arm64/9", "v9"],
  ["arm64/9.0", "v9"],
  ["arm64/v9.0", "v9"],
  ["arm/", "v7"],
  ["arm/5", "v5"],
  ["arm/6", "v6"],
  ["arm/7", "v7"],
  ["arm/8", "v8"],
]);

/** A platform as documents write it: any field may be missing. */
export interface RawPlatform {
  readonly os?: string | null | undefined;
  readonly architecture?: string | null | undefined;
  readonly variant?: string | null | undefined;
  readonly "os.version"?: string | null | undefined;
  readonly "os.features"?: readonly string[] | null | undefined;
}

/**
 * @returns undefined when it does not say for which architecture it is
 * @see https://github.com/containerd/platforms/blob/main/database.go
 */
export function normalizePlatform(raw: RawPlatform | null | undefined): Platform | undefined {
  if (!raw?.architecture) return undefined;
  const os = (raw.os || "linux").toLowerCase();
  const said = raw.architecture.toLowerCase();
  const [architecture, implied] = ARCHITECTURE_NAMES.get(said) ?? [said];
  const variant = implied ?? (raw.variant ?? "").toLowerCase();
  return {
    os: OS_NAMES.get(os) ?? os,
    architecture,
    variant: VARIANT_NAMES.get(`${architecture}/${variant}`) ?? variant,
    osVersion: raw["os.version"] ?? "",
    osFeatures: raw["os.features"] ?? [],
  };
}

/** `os[(version+feature…)]/architecture[/variant]`, in the form in which `parsePlatform` takes it. */
export function showPlatform({ os, architecture, variant, osVersion, osFeatures }: Platform): string {
  const options = [osVersion, ...osFeatures].join("+");
  return [options === "" ? os : `${os}(${options})`, architecture, variant].filter(Boolean).join("/");
}

const ARCHITECTURE_OF_NODE: Partial<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  mipsel: "mipsle",
  ppc64: endianness() === "LE" ? "ppc64le" : "ppc64",
};

/** The platform of this process. */
export function hostPlatform(): WantedPlatform {
  const architecture = ARCHITECTURE_OF_NODE[process.arch] ?? process.arch;
  const variant = VARIANT_NAMES.get(`${architecture}/`) ?? "";
  return { os: "linux", architecture, variant, osVersion: "", osFeatures: [], isAnyVariant: true };
}

const SYSTEM = /^([\w-]+)(?:\(([\w.-]*(?:\+[\w.-]+)*)\))?$/;
const COMPONENT = /^[\w-][\w.-]*$/;

/**
 * @param text `os/architecture[/variant]`, or one of both, this machine's standing for the other
 * @returns undefined when it is none
 */
export function parsePlatform(text: string): WantedPlatform | undefined {
  const [first = "", second, variant, ...more] = text.split("/");
  const [, system = "", options = ""] = SYSTEM.exec(first) ?? [];
  const rest = [second, variant].filter((part) => part !== undefined);
  if (system === "" || more.length > 0 || !rest.every((part) => COMPONENT.test(part))) return undefined;
  const host = hostPlatform();
  const [osVersion = "", ...osFeatures] = options.split("+");
  const said = { variant, "os.version": osVersion, "os.features": osFeatures };
  if (second !== undefined) return wanted({ ...said, os: system, architecture: second });
  const alone = normalizePlatform({ os: system, architecture: system });
  if (alone !== undefined && SYSTEMS.has(alone.os))
    return wanted({ ...said, os: system, architecture: host.architecture });
  if (alone !== undefined && ARCHITECTURES.has(alone.architecture) && options === "")
    return wanted({ ...said, os: host.os, architecture: system });
  return undefined;
}

function wanted(raw: RawPlatform): WantedPlatform | undefined {
  const platform = normalizePlatform(raw);
  const implied = ARCHITECTURE_NAMES.get(raw.architecture?.toLowerCase() ?? "")?.[1];
  return platform && { ...platform, isAnyVariant: raw.variant === undefined && implied === undefined };
}
