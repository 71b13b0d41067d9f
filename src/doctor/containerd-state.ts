import { statSync } from "node:fs";
import { messageOf } from "../bytes/errors.ts";
import { Containerd } from "../containerd/client.ts";
import { Inventory } from "../containerd/inventory.ts";
import type { Plugin } from "../containerd/gen/introspection_pb.ts";
import { type Finding, missing, ok, warn } from "./finding.ts";

/** What a containerd says that runs. */
export interface ContainerdState {
  readonly client: Containerd;
  readonly inventory: Inventory;
  readonly version: readonly [number, number] | undefined;
  readonly plugins: readonly Plugin[];
  /** In this PID namespace. */
  readonly pid: number | undefined;
  readonly finding: Finding;
}

const ANSWER_MS = 10_000;

/** @param address path of its socket. @param assumed its version, where it does not run */
export async function askContainerd(address: string, assumed: string | undefined): Promise<ContainerdState> {
  const client = new Containerd(address);
  const inventory = new Inventory(address);
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    const said = await inventory.version(signal);
    const plugins = await client.plugins("", signal);
    const { pid, pidns } = await inventory.server(signal);
    return {
      ...{ client, inventory, plugins, version: versionOf(said), finding: judged(said, address) },
      pid: Number(pidns) === statSync("/proc/self/ns/pid").ino && pid > 0n ? Number(pid) : undefined,
    };
  } catch (error) {
    const advice =
      assumed === undefined
        ? "start containerd, or name its socket by --containerd-address; --containerd-version 1.7 has the lines of a release that does not run yet"
        : "start containerd";
    const finding = missing("containerd", `${address}: ${messageOf(error)}`, advice);
    const version = assumed === undefined ? undefined : versionOf(assumed);
    return { client, inventory, version, plugins: [], pid: undefined, finding };
  }
}

function versionOf(said: string): readonly [number, number] | undefined {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(said) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
}

/** 1.7.4 is the first that knows differs behind a socket, 1.7.16 tells of exports, 1.7.23 of capabilities. */
function judged(said: string, address: string): Finding {
  const name = "containerd";
  const [, major, minor, patch] = (/(\d+)\.(\d+)\.(\d+)/.exec(said) ?? []).map(Number);
  if (major === undefined || minor === undefined || patch === undefined)
    return warn(
      name,
      `version ${said}, at ${address}`,
      "a version that can be read: lines below are for 2.x",
    );
  const isBefore = (of: number) => major < 1 || (major === 1 && (minor < 7 || (minor === 7 && patch < of)));
  if (isBefore(4))
    return missing(name, `${said}, at ${address}`, "1.7.23 or later: this one knows no differs of others");
  if (isBefore(23)) return warn(name, `${said}, at ${address}`, "1.7.23 or later, with which this was tried");
  return ok(name, `${said}, at ${address}`);
}
