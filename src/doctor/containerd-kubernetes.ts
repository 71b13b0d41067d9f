import type { Plugin } from "../containerd/gen/introspection_pb.ts";
import type { Wanted } from "./wanted.ts";
import { CRI_1, type Routes } from "./containerd-routes.ts";
import { type Finding, ok, warn } from "./finding.ts";

/** Whether containerd serves Kubernetes, and with what snapshotter. @returns whether lines for it are of use, too */
export function examineKubernetes(
  { name }: Wanted,
  { snapshotter: ours = name, kubernetes }: Routes,
  plugins: readonly Plugin[],
): { readonly finding: Finding; readonly isUnused: boolean } {
  const called = "kubernetes";
  if (plugins.length === 0)
    return { finding: ok(called, "not known: containerd does not answer"), isUnused: true };
  const cri = plugins.find(({ type, id }) => `${type}.${id}` === CRI_1);
  if (cri === undefined || cri.initErr !== undefined)
    return { finding: ok(called, "containerd does not serve it"), isUnused: false };
  const { snapshotter, handlers, discardsLayers } = kubernetes;
  const some = [...handlers].filter(([, each]) => each === ours).map(([handler]) => handler);
  if (snapshotter !== ours && some.length === 0) {
    const advice = "the lines for all pods, or for those of a RuntimeClass";
    return {
      finding: warn(called, `pods are run by ${snapshotter || "another one"}`, advice),
      isUnused: true,
    };
  }
  const found =
    snapshotter === ours
      ? `all pods are run by ${ours}`
      : `runtime handler ${some.join(", ")} is run by ${ours}`;
  const finding =
    discardsLayers && snapshotter !== ours
      ? warn(
          called,
          found,
          "discard_unpacked_layers = false: images that overlayfs has run could not be run by it",
        )
      : ok(called, found);
  return { finding, isUnused: false };
}
