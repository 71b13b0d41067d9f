import { messageOf } from "../bytes/errors.ts";
import { mustAnswer } from "../containerd/answers.ts";
import type { Plugin } from "../containerd/gen/introspection_pb.ts";
import { asksFirst, isLoose, unpacksWith } from "./containerd-lines.ts";
import type { Wanted } from "./wanted.ts";
import type { Routes } from "./containerd-routes.ts";
import { type Finding, missing, ok, warn } from "./finding.ts";

const ADD = "the lines for containerd, then restart it";
const ANSWER_MS = 5_000;

/** Whether somebody serves at our socket. */
export async function examineSocket(address: string): Promise<Finding> {
  const name = "snapshotter";
  try {
    await mustAnswer(address, AbortSignal.timeout(ANSWER_MS));
    return ok(name, `answers at ${address}`);
  } catch (error) {
    const found = `${address}: ${messageOf(error)}`;
    return missing(name, found, "start nydus-snapshotter-ts, or its socket (nydus-snapshotter-ts install)");
  }
}

/** Whether containerd knows our snapshotter and differ, and asks them by each of its ways. */
export function examineWiring(wanted: Wanted, routes: Routes, plugins: readonly Plugin[]): Finding[] {
  const { platform } = wanted;
  const { snapshotter = wanted.name, differ = `${wanted.name}-diff`, differs } = routes;
  const list = differs.join(", ") || "nothing that can be read";
  return [
    plugin("proxy-snapshotter", routes.snapshotter, "io.containerd.snapshotter.v1", plugins),
    plugin("proxy-differ", routes.differ, "io.containerd.differ.v1", plugins),
    asksFirst(differs, differ)
      ? ok("route-diff-service", `asks ${list}`)
      : missing("route-diff-service", `asks ${list}; want ${differ} first and one behind it`, ADD),
    routeTransfer(platform, routes, snapshotter, differ),
    exportsRoot(wanted, routes),
  ];
}

function routeTransfer(platform: string, routes: Routes, snapshotter: string, differ: string): Finding {
  const name = "route-transfer";
  const { unpacks } = routes;
  const all =
    unpacks.map((each) => `${each.snapshotter} by ${each.differ || "any"}`).join(", ") ||
    "nothing that can be read";
  if (!unpacksWith(routes, platform, snapshotter, differ))
    return missing(name, `unpacks ${all}; want ${platform}, ${snapshotter} by ${differ}`, ADD);
  return unpacks.some(isLoose)
    ? warn(
        name,
        `unpacks ${all}`,
        "the lines for containerd: without a differ it takes ours, which unpacks for no other snapshotter",
      )
    : ok(name, `unpacks ${all}`);
}

/** What is configured, and what containerd has loaded of that. */
function plugin(
  name: string,
  configured: string | undefined,
  type: string,
  plugins: readonly Plugin[],
): Finding {
  if (configured === undefined) return missing(name, "none at our socket is configured", ADD);
  const loaded = plugins.find((each) => each.type === type && each.id === configured);
  if (loaded === undefined)
    return plugins.length === 0
      ? ok(name, `${configured} is configured`)
      : missing(name, `${configured} is configured, not loaded`, "restart containerd");
  return loaded.initErr === undefined
    ? ok(name, `${configured} is loaded`)
    : missing(name, `${configured}: ${loaded.initErr.message}`, "containerd's log says more");
}

function exportsRoot({ root }: Wanted, routes: Routes): Finding {
  const name = "exports-root";
  const { exportsRoot: said, snapshotter } = routes;
  if (said === root) return ok(name, `${root}: kubelet sees the space there`);
  const found = said === undefined ? "not said" : `${said}, and layers lie in ${root}`;
  const advice =
    "the lines for containerd: kubelet looks there for the space that images take, remap-ids needs it";
  return snapshotter === undefined ? missing(name, found, ADD) : warn(name, found, advice);
}

/** What containerd was told that our snapshotter can, beside what it could. */
export function examineCapabilities(
  { capabilities: wanted }: Wanted,
  routes: Routes,
  canMapIds: boolean,
): Finding {
  const name = "capabilities";
  const { capabilities, snapshotter } = routes;
  const found = capabilities.join(", ") || "none";
  const isTooMuch = capabilities.includes("remap-ids") && !canMapIds;
  if (isTooMuch)
    return warn(
      name,
      found,
      "take remap-ids out: ids of FUSE's mounts cannot be mapped, containers in user namespaces fail",
    );
  const lacks = wanted.filter((each) => !capabilities.includes(each));
  if (snapshotter === undefined || lacks.length === 0) return ok(name, found);
  const what = lacks.map((each) => GAIN[each]).join("; ");
  const advice = `capabilities = ${JSON.stringify(wanted)} in [proxy_plugins.${snapshotter}]: ${what}`;
  return warn(name, found, advice);
}

const GAIN: Readonly<Record<string, string>> = {
  "remap-ids": "user namespaces share the image's mount, without it they have a copy of the image",
  rebase: "layers of an image are converted side by side, with max_concurrent_unpacks above 1",
};
