import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { startContainerd } from "../support/containers/containerd.ts";
import { containerTree, rootfsOf } from "../support/containers/container-tree.ts";
import { containersLeft, removeContainers } from "../support/containers/containers-left.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { exec } from "../support/containers/exec.ts";
import { threeLayers } from "../support/containers/images.ts";
import { archiveOf } from "../support/containers/oci-image.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { needs } from "../support/needs.ts";

const NOTHING = { mounts: [], loops: [], processes: [], shims: [] };
describe.each(ENGINES)("$name by its own overlayfs", (engine) => {
  needs(NO_CONTAINERS);

  it("pulls an image, runs it, and leaves nothing", async () => {
    const registry = await startRegistry();
    const name = registry.add("test/image", threeLayers());
    const containerd = await startContainerd(engine);
    await containerd.ask("image", "pull", "--plain-http", "--snapshotter", "overlayfs", name);
    await containerd.ask("run", "--detach", "--snapshotter", "overlayfs", name, "one");
    const script = "cat /opt/gone/back /opt/kept/a; ls /opt/opaque /opt/gone";
    expect(await exec(containerd, "one", script)).toBe(
      "again\nsecond\n/opt/gone:\nback\n\n/opt/opaque:\nnewest\n",
    );
    await containerd.ask("task", "rm", "--force", "one");
    await containerd.ask("container", "rm", "one");
    await containerd.ask("image", "rm", "--sync", name);
    expect(containersLeft(containerd)).toEqual(NOTHING);
    expect(await containerd.ask("snapshots", "--snapshotter", "overlayfs", "ls")).toMatch(/^KEY.*\n$/);
    expect(await containerd.ask("content", "ls", "-q")).toBe("");
  });

  it("leaves nothing of containers that still run when it is ended", async () => {
    const containerd = await startContainerd(engine);
    const name = await startRegistry().then((registry) => registry.add("test/image", threeLayers()));
    await containerd.ask("image", "pull", "--plain-http", name);
    await containerd.ask("run", "--detach", name, "one", "/bin/sleep", "1000");
    const root = rootfsOf(containerd, "one");
    expect(containersLeft(containerd)).toMatchObject({
      mounts: [relative(containerd.dir, root)],
      processes: [expect.any(Number)],
      shims: [expect.stringContaining("containerd-shim-runc-v2")],
    });
    expect(containerTree(containerd, "one").find(({ path }) => path === "/opt/kept/hard")).toMatchObject({
      mode: "0100640",
      uid: 1000,
      links: ["/opt/kept/a", "/opt/kept/hard"],
    });
    await containerd.end();
    await removeContainers(containerd);
    expect(containersLeft(containerd)).toEqual(NOTHING);
  });

  it.each([
    { name: "wrong bytes", fault: (size: number) => ({ bytes: Buffer.alloc(size) }), says: /digest/ },
    { name: "no blob", fault: () => ({ status: 404 }), says: /not found/ },
    { name: "a connection that ends early", fault: () => ({ cutAfter: 100 }), says: /EOF/ },
  ])("does not take $name from a registry", async ({ fault, says }) => {
    const registry = await startRegistry();
    const image = threeLayers();
    const { digest, size } = image.layers[2];
    registry.fault = (path) => (path.endsWith(`/blobs/${digest}`) ? fault(size) : undefined);
    const containerd = await startContainerd(engine);
    const pulled = await containerd.ctr("image", "pull", "--plain-http", registry.add("test/image", image));
    expect(pulled).toMatchObject({ status: 1, stderr: expect.stringMatching(says) });
  });

  it("imports an archive", async () => {
    const containerd = await startContainerd(engine);
    const archive = join(containerd.dir, "image.tar");
    writeFileSync(archive, archiveOf(threeLayers(), "test.invalid/image:latest"));
    for (const local of ["true", "false"]) {
      await containerd.ask("image", "import", `--local=${local}`, archive); // says what it did when it took long enough
      expect(await containerd.ask("image", "ls", "-q")).toBe("test.invalid/image:latest\n");
      await containerd.ask("image", "rm", "--sync", "test.invalid/image:latest");
    }
  });
});
