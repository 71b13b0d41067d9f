import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROXY } from "../support/containers/containerd-config.ts";
import { type Docker, NO_DOCKER, startDocker } from "../support/containers/docker.ts";
import { ENGINES } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { type Both, startBoth } from "../support/containers/snapshotter.ts";
import { sh } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const RUN = ["run", "--network", "none"];
const CHANGE = `rm /opt/gone/back; echo changed >/opt/kept/a; mkdir -m 0700 /opt/made; touch /opt/made/file
  rm -r /opt/opaque; mkdir /opt/opaque; chown 5:6 /opt/empty; ln /opt/empty /opt/linked; cat /opt/kept/hard`;
/** What the first instruction removes comes back, and goes again in a directory that the second one brings. */
const DOCKERFILE = `FROM changed
RUN rm -r /opt/kept && mkdir /opt/kept && touch /opt/kept/built
COPY context /opt/copied
RUN rm /opt/copied/file && ln -s /opt/kept /opt/copied/link
`;

/** Everything in an image, as a container has it; times are those of the moment, owners of what runs are not. */
async function treeOf(docker: Docker, image: string, dir: string): Promise<string> {
  const id = (await docker.ask("create", "--network", "none", image)).trim();
  const archive = join(dir, "exported.tar");
  await docker.ask("export", "-o", archive, id);
  await docker.ask("rm", id);
  return sh(
    'tar --numeric-owner -tvf "$A" | sed "s/ 20[0-9-]* [0-9:]* / /" | sort; tar -xOf "$A" opt | sha256sum',
    { A: archive },
  );
}

/** What people do with images; what they see of it. */
async function scenario(docker: Docker, name: string, dir: string): Promise<Record<string, string>> {
  const context = join(dir, "context");
  mkdirSync(join(context, "context"), { recursive: true });
  writeFileSync(join(context, "context/file"), "f");
  writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
  const seen: Record<string, string> = {};
  await docker.ask("pull", "-q", name);
  seen["pulled"] = await treeOf(docker, name, dir);
  seen["run"] = await docker.ask(...RUN, "--name", "changer", name, "/bin/sh", "-euc", CHANGE);
  seen["diff"] = (await docker.ask("diff", "changer")).split("\n").sort().join("\n");
  await docker.ask("commit", "changer", "changed");
  seen["committed"] = await treeOf(docker, "changed", dir);
  // One with a container for each instruction, the other by containerd's snapshots.
  await docker.ask("build", "--network", "none", "-q", "-t", "built", context);
  seen["built"] = await treeOf(docker, "built", dir);
  await docker.ask("buildx", "build", "--network", "none", "-q", "--no-cache", "-t", "again", context);
  seen["built again"] = await treeOf(docker, "again", dir);
  const saved = join(dir, "saved.tar");
  await docker.ask("save", "-o", saved, "built");
  await docker.ask("rmi", "built");
  await docker.ask("load", "-q", "-i", saved);
  seen["loaded"] = await treeOf(docker, "built", dir);
  seen["ran"] = await docker.ask(...RUN, "--rm", "built", "/bin/ls", "/opt", "/opt/copied", "/opt/kept");
  await docker.ask("rm", "changer");
  await docker.ask("rmi", "built", "again", "changed", name);
  seen["images"] = await docker.ask("images", "-aq");
  await docker.ask("buildx", "prune", "-af");
  return seen;
}

async function pulled(both: Both): Promise<{ docker: Docker; name: string }> {
  const name = (await startRegistry()).add("test/image", threeLayers());
  const docker = await startDocker(both.containerd, PROXY);
  await docker.ask("pull", "-q", name);
  return { docker, name };
}

describe.each(ENGINES)("Docker on $name", (engine) => {
  needs(NO_DOCKER);

  it("does with images what it does with overlayfs", async () => {
    const both = await startBoth(engine);
    const before = filesOf(both);
    const name = (await startRegistry()).add("test/image", threeLayers());
    const seen = [];
    for (const snapshotter of ["overlayfs", PROXY]) {
      const docker = await startDocker(both.containerd, snapshotter);
      const dir = join(both.containerd.dir, `for-${snapshotter}`);
      seen.push(await scenario(docker, name, dir));
      await docker.end();
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]?.["run"]).toBe("second\n");
    expect(both.snapshotter.log()).not.toMatch(/"level":"(warn|error)"/);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });

  it("unpacks nothing, and mounts an image once for all of its containers", async () => {
    const both = await startBoth(engine);
    const { docker, name } = await pulled(both);
    for (const id of ["one", "two", "three"]) await docker.ask(...RUN, "--detach", "--name", id, name);
    const mounted = both.snapshotter.log().match(/: mounted"/g);
    expect(mounted).toHaveLength(1);
    // Docker's own directory above an image has empty files, where it binds others.
    expect(sh('find "$R"/snapshots/*/fs -type f -size +0 | wc -l', { R: both.snapshotter.root })).toBe("0\n");
    expect(await docker.ask("exec", "two", "/bin/cat", "/opt/gone/back")).toBe("again\n");
    await docker.ask("rm", "-f", "one", "two", "three");
  });

  it("goes on with containers while the snapshotter is killed and comes back", async () => {
    const both = await startBoth(engine);
    const { docker, name } = await pulled(both);
    await docker.ask(...RUN, "--detach", "--name", "one", name);
    await both.snapshotter.end("SIGKILL");
    expect(await docker.ask("exec", "one", "/bin/cat", "/opt/kept/a")).toBe("second\n");
    await both.snapshotter.start();
    // containerd calls nobody for up to three seconds who was away.
    let status: number | null = 1;
    for (let i = 0; i < 20 && status !== 0; i++)
      ({ status } = await docker.call(...RUN, "--rm", name, "/bin/true"));
    expect(status).toBe(0);
    await docker.ask("rm", "-f", "one");
  });
});
