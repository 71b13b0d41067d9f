import {
  CRI_1,
  CRI_2_IMAGES,
  CRI_2_RUNTIME,
  DIFF_SERVICE,
  type Routes,
  type Unpack,
} from "./containerd-routes.ts";
import type { Settings } from "./containerd-settings.ts";
import { type Lines, listed, quoted, Tables } from "./containerd-tables.ts";
import type { Wanted } from "./wanted.ts";

/** What is missing for containerd itself, by the routes that its configuration has. */
export function containerdLines(wanted: Wanted, settings: Settings, routes: Routes): Lines[] {
  const { name, address, root, capabilities } = wanted;
  const { snapshotter = name, differ = `${name}-diff` } = routes;
  const isEmpty = Object.keys(settings.own).length === 0;
  const tables = new Tables(settings, isEmpty ? [`version = ${styleOf(settings, wanted)}`] : []);
  if (routes.snapshotter === undefined) {
    const can = capabilities.length === 0 ? [] : [`capabilities = ${listed(capabilities)}`];
    tables.add(["proxy_plugins", name], ['type = "snapshot"', `address = ${quoted(address)}`, ...can]);
  }
  if (routes.exportsRoot !== root)
    tables.add(["proxy_plugins", snapshotter, "exports"], [`root = ${quoted(root)}`]);
  if (routes.differ === undefined)
    tables.add(["proxy_plugins", differ], ['type = "diff"', `address = ${quoted(address)}`]);
  if (!asksFirst(routes.differs, differ)) {
    const others = routes.differs.filter((each) => each !== differ);
    const all = [differ, ...(others.length === 0 ? [OTHERS_DIFFER] : others)];
    tables.add(["plugins", DIFF_SERVICE], [`default = ${listed(all)}`]);
  }
  for (const unpack of unpacksWanted(wanted, routes, snapshotter, differ)) tables.setUnpack(unpack, routes);
  return tables.lines("containerd");
}

/** containerd's own: it unpacks for every snapshotter. */
const OTHERS_DIFFER = "walking";

/** Whether a diff service asks our differ, and whoever unpacks what it leaves. */
export const asksFirst = (differs: readonly string[], differ: string): boolean =>
  differs[0] === differ && differs.length > 1;

/** Whether the transfer service unpacks for a snapshotter with a differ of its own. */
export const unpacksWith = (
  { unpacks }: Routes,
  platform: string,
  snapshotter: string,
  differ: string,
): boolean =>
  unpacks.find((each) => each.snapshotter === snapshotter && each.platform === platform)?.differ === differ;

/** Whether containerd takes any differ for another snapshotter: ours, too, which refuses that. */
export const isLoose = ({ snapshotter, differ }: Unpack): boolean => snapshotter !== "" && differ === "";

/** Entries that are missing, or have to be others. Once containerd is told of one, it forgets the one that it has by itself. */
function unpacksWanted({ platform }: Wanted, routes: Routes, snapshotter: string, differ: string): Unpack[] {
  const others = routes.unpacks.filter((each) => each.snapshotter !== snapshotter);
  const loose = others.filter(isLoose).map((each) => ({ ...each, differ: OTHERS_DIFFER }));
  const own = { platform, snapshotter, differ };
  return [
    ...(unpacksWith(routes, platform, snapshotter, differ) ? [] : [own]),
    ...(others.length === 0 ? [{ platform, snapshotter: "overlayfs", differ: OTHERS_DIFFER }] : loose),
  ];
}

/** What has Kubernetes use it: for all pods, or for those that ask for it. */
export function kubernetesLines(wanted: Wanted, settings: Settings, routes: Routes): Lines[] {
  const { snapshotter = wanted.name } = routes;
  const isOld = styleOf(settings, wanted) < 3;
  const all = new Tables(settings);
  all.add(isOld ? ["plugins", CRI_1, "containerd"] : ["plugins", CRI_2_IMAGES], [
    `snapshotter = ${quoted(snapshotter)}`,
  ]);
  const some = new Tables(settings);
  const runtime = isOld
    ? ["plugins", CRI_1, "containerd", "runtimes", snapshotter]
    : ["plugins", CRI_2_RUNTIME, "containerd", "runtimes", snapshotter];
  some.add(runtime, ['runtime_type = "io.containerd.runc.v2"', `snapshotter = ${quoted(snapshotter)}`]);
  if (routes.kubernetes.systemdCgroup) some.add([...runtime, "options"], ["SystemdCgroup = true"]);
  if (!isOld)
    some.add(
      ["plugins", CRI_2_IMAGES, "runtime_platforms", snapshotter],
      [`platform = ${quoted(wanted.platform)}`, `snapshotter = ${quoted(snapshotter)}`],
    );
  return [...all.lines("kubernetes"), ...some.lines("runtime-handler")];
}

/** The version that its keys are of: that of the file, or the one that a new file should have. */
function styleOf({ own }: Settings, { version }: Wanted): number {
  const said = own["version"];
  return typeof said === "number" ? said : version[0] < 2 ? 2 : 3;
}
