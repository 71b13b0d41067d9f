import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { arch, release } from "node:os";
import { isInUserNamespace } from "../mounts/overlay.ts";
import { findProgram } from "../tar/program.ts";
import { type Finding, missing, ok, warn } from "./finding.ts";

const SOCKET = "/run/containerd/containerd.sock";

export function examineKernel(): Finding {
  const found = `Linux ${release()}, ${arch()}`;
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 12)
    ? ok("kernel", found)
    : warn("kernel", found, "6.12 or newer mounts images from plain files, without loop devices");
}

export function examineUserNamespaces(): Finding {
  const name = "user-namespaces";
  const most = readNumber("/proc/sys/user/max_user_namespaces");
  const inside = isInUserNamespace() ? "; this process is in one" : "";
  if (most === undefined || most === 0)
    return warn(
      name,
      `none allowed${inside}`,
      "sysctl user.max_user_namespaces=10000, for rootless use only",
    );
  const barriers = [
    ["kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone", 0, 1],
    [
      "kernel.apparmor_restrict_unprivileged_userns",
      "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
      1,
      0,
    ],
  ] as const;
  for (const [sysctl, path, closed, open] of barriers)
    if (readNumber(path) === closed)
      return warn(
        name,
        `root only (${sysctl}=${closed})${inside}`,
        `sysctl ${sysctl}=${open}, for rootless use only`,
      );
  return ok(name, `${most} allowed, for every user${inside}`);
}

export const examineOverlayfs = (): Finding =>
  /\toverlay$/m.test(readFileSync("/proc/filesystems", "latin1"))
    ? ok("overlayfs", "the kernel has it")
    : warn("overlayfs", "not in /proc/filesystems", "modprobe overlay: --rw and containers need it");

export function examineContainerd(): Finding {
  const name = "containerd";
  const advice = "needed only to run containers from images";
  if (findProgram(["containerd"]) === undefined)
    return existsSync(SOCKET)
      ? warn(name, `not on the PATH, ${SOCKET} is there`, advice)
      : missing(name, "not on the PATH", advice);
  const { stdout } = spawnSync("containerd", ["--version"], { encoding: "utf8", timeout: 5_000 });
  const version = /\bv?(\d+\.\d+\.\d+\S*)/.exec(stdout ?? "")?.[1] ?? "unknown";
  return existsSync(SOCKET)
    ? ok(name, `${version}, ${SOCKET} is there`)
    : warn(name, `${version}, no ${SOCKET}`, `start it; ${advice}`);
}

/** Programs that decompress layers beside this one. */
export const examineDecompressors = (): Finding[] =>
  (
    [
      ["igzip", "install isal: gzip layers are decompressed faster"],
      ["pigz", "install pigz: gzip layers are decompressed beside this process; not needed with igzip"],
      ["zstd", "install zstd: zstd layers are decompressed faster, and their checksums are verified"],
      ["xz", "install xz-utils: xz layers cannot be read without it"],
      ["bzip2", "install bzip2: bzip2 layers cannot be read without it"],
    ] as const
  ).map(([name, advice]) =>
    findProgram([name]) === undefined ? warn(name, "not on the PATH", advice) : ok(name, "on the PATH"),
  );

function readNumber(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "latin1"));
  } catch {
    return undefined;
  }
}
