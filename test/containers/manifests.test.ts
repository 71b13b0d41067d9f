import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { goProgram } from "../support/go-program.ts";
import { needs } from "../support/needs.ts";

const DOCS = fileURLToPath(new URL("../../docs/", import.meta.url));
const DIR = join(DOCS, "kubernetes");
const PROGRAM = goProgram({
  name: "manifests",
  source: fileURLToPath(new URL("manifests", import.meta.url)),
  build: ["build"],
  what: "a program that reads manifests as Kubernetes does",
});
const textOf = (name: string): string => readFileSync(join(DIR, name), "utf8");
const read = (input: string) => spawnSync(PROGRAM.path, { input, encoding: "utf8" });

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly mountPropagation?: string;
}

describe("manifests of docs/kubernetes", () => {
  needs(PROGRAM.absent());

  it.each(readdirSync(DIR))("%s is understood, every field of it", (name) => {
    expect(read(textOf(name))).toMatchObject({ status: 0, stderr: "" });
  });

  it.each([
    ["pod.yaml", "runtimeClassName: tarfs", "runtimeClass: tarfs", "runtimeClass"],
    ["daemon-set.yaml", "privileged: true", "privileged: always", "privileged"],
    ["daemon-set.yaml", "mountPropagation: Bidirectional", "propagation: Bidirectional", "propagation"],
    ["runtime-class.yaml", "handler: tarfs", "handlers: tarfs", "handlers"],
    ["runtime-class.yaml", "node.k8s.io/v1", "node.k8s.io/v9", "no such kind"],
  ])("%s with another field would be told: %s", (name, right, wrong, said) => {
    expect(textOf(name)).toContain(right);
    const { status, stderr } = read(textOf(name).replace(right, wrong));
    expect(status).toBe(1);
    expect(stderr).toContain(said);
  });

  it("fit together", () => {
    const [runtimeClass] = JSON.parse(read(textOf("runtime-class.yaml")).stdout);
    const [pod] = JSON.parse(read(textOf("pod.yaml")).stdout);
    const [namespace, set] = JSON.parse(read(textOf("daemon-set.yaml")).stdout);
    expect(pod.spec.runtimeClassName).toBe(runtimeClass.metadata.name);
    expect(set.metadata.namespace).toBe(namespace.metadata.name);
    const { template, selector } = set.spec;
    expect(template.metadata.labels).toEqual(selector.matchLabels);
    expect(template.spec.runtimeClassName).toBeUndefined();
    expect(template.spec.nodeSelector).toMatchObject(runtimeClass.scheduling.nodeSelector);
    const [container] = template.spec.containers;
    const paths: Record<string, string> = Object.fromEntries(
      template.spec.volumes.map((volume: { name: string; hostPath: { path: string } }) => [
        volume.name,
        volume.hostPath.path,
      ]),
    );
    // containerd knows files and mounts by their paths on the node.
    for (const { name, mountPath } of container.volumeMounts as Mount[]) expect(paths[name]).toBe(mountPath);
    const shared = (container.volumeMounts as Mount[]).filter((m) => m.mountPropagation === "Bidirectional");
    expect(shared.map(({ mountPath }) => mountPath)).toEqual(["/var/lib/nydus-snapshotter-ts"]);
    expect(container.args).toEqual(expect.arrayContaining(["--driver", "erofs"]));
  });
});
