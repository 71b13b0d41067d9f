import { isRecord } from "../config-file/keys.ts";

/** What a configuration of containerd says that matters here. */
export interface Routes {
  /** Names of the proxy plugins that are behind our socket; undefined: none is. */
  readonly snapshotter: string | undefined;
  readonly differ: string | undefined;
  readonly exportsRoot: string | undefined;
  readonly capabilities: readonly string[];
  /** In the order in which the diff service asks; undefined where that cannot be read. */
  readonly differs: readonly string[];
  readonly unpacks: readonly Unpack[];
  readonly kubernetes: KubernetesSettings;
}

/** What the transfer service unpacks with. */
export interface Unpack {
  readonly platform: string;
  readonly snapshotter: string;
  readonly differ: string;
}

/** Of the plugin that serves Kubernetes. */
interface KubernetesSettings {
  readonly snapshotter: string;
  /** Names of the runtime handlers that have a snapshotter of their own, and that. */
  readonly handlers: ReadonlyMap<string, string>;
  /** Whether runc makes its cgroups by systemd. */
  readonly systemdCgroup: boolean;
  readonly discardsLayers: boolean;
}

export const DIFF_SERVICE = "io.containerd.service.v1.diff-service";
export const TRANSFER = "io.containerd.transfer.v1.local";
export const CRI_1 = "io.containerd.grpc.v1.cri";
export const CRI_2_IMAGES = "io.containerd.cri.v1.images";
export const CRI_2_RUNTIME = "io.containerd.cri.v1.runtime";

/**
 * @param settings as `containerd config dump` has them, or the file
 * @param address of our socket
 */
export function routesOf(settings: unknown, address: string): Routes {
  const proxies = Object.entries(tableAt(settings, "proxy_plugins"));
  const behind = (type: string) =>
    proxies.find(([, each]) => textAt(each, "type") === type && textAt(each, "address") === address);
  const [snapshotter, entry] = behind("snapshot") ?? [];
  const [differ] = behind("diff") ?? [];
  return {
    ...{ snapshotter, differ },
    exportsRoot: textAt(tableAt(entry, "exports"), "root") || undefined,
    capabilities: textsAt(entry, "capabilities"),
    differs: textsAt(tableAt(settings, "plugins", DIFF_SERVICE), "default"),
    unpacks: listAt(tableAt(settings, "plugins", TRANSFER), "unpack_config").map((each) => ({
      platform: textAt(each, "platform"),
      ...{ snapshotter: textAt(each, "snapshotter"), differ: textAt(each, "differ") },
    })),
    kubernetes: kubernetesOf(settings),
  };
}

/** In 1.7 one plugin serves Kubernetes, in 2.x one its images and another one its containers. */
function kubernetesOf(settings: unknown): KubernetesSettings {
  const one = tableAt(settings, "plugins", CRI_1, "containerd");
  const images = tableAt(settings, "plugins", CRI_2_IMAGES);
  const runtimes = {
    ...tableAt(one, "runtimes"),
    ...tableAt(settings, "plugins", CRI_2_RUNTIME, "containerd", "runtimes"),
  };
  const handlers = Object.entries(runtimes)
    .map(([name, each]) => [name, textAt(each, "snapshotter")] as const)
    .filter(([, snapshotter]) => snapshotter !== "");
  return {
    snapshotter: textAt(images, "snapshotter") || textAt(one, "snapshotter"),
    handlers: new Map(handlers),
    systemdCgroup: tableAt(runtimes["runc"], "options")["SystemdCgroup"] === true,
    discardsLayers: images["discard_unpacked_layers"] === true || one["discard_unpacked_layers"] === true,
  };
}

/** The table at a path; an empty one where there is none. */
function tableAt(from: unknown, ...path: readonly string[]): Record<string, unknown> {
  let at = from;
  for (const key of path) at = isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return isRecord(at) ? at : {};
}

function textAt(table: unknown, key: string): string {
  const value = tableAt(table)[key];
  return typeof value === "string" ? value : "";
}

function listAt(table: unknown, key: string): readonly unknown[] {
  const value = tableAt(table)[key];
  return Array.isArray(value) ? value : [];
}

const textsAt = (table: unknown, key: string): string[] =>
  listAt(table, key).filter((each) => typeof each === "string");
