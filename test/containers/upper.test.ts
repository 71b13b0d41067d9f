import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { exec } from "../support/containers/exec.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { sh } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const CHANGE = `rm /opt/gone/back; echo changed >/opt/kept/a; mkdir -m 0700 /opt/made; touch /opt/made/file
  rm -r /opt/opaque; mkdir /opt/opaque; chown 5:6 /opt/empty; ln /opt/empty /opt/linked`;

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it("makes the same layer of a container's changes as with its own overlayfs", async () => {
    const { containerd } = await startBoth(engine);
    const blobs = async () => (await containerd.ask("content", "ls", "-q")).split("\n");
    const listings: string[] = [];
    for (const snapshotter of ["overlayfs", PROXY]) {
      const name = await LOCAL_IMPORT.get(containerd, threeLayers(), snapshotter);
      await containerd.ask("run", "--detach", "--snapshotter", snapshotter, name, snapshotter);
      await exec(containerd, snapshotter, CHANGE);
      const before = await blobs();
      const words = ["--keep", "--media-type", "application/vnd.oci.image.layer.v1.tar"];
      await containerd.ask("snapshots", "--snapshotter", snapshotter, "diff", ...words, snapshotter);
      const [digest] = (await blobs()).filter((each) => !before.includes(each));
      // The times are those of the changes, a moment apart.
      listings.push(
        sh('tar --numeric-owner -tvf "$D/$L" | sed "s/ 20[0-9-]* [0-9:]* / /"', {
          D: join(containerd.dir, "root/io.containerd.content.v1.content/blobs"),
          L: digest.replace(":", "/"),
        }),
      );
    }
    expect(listings[0]).toContain("opt/gone/.wh.back");
    expect(listings[1]).toBe(listings[0]);
  });

  if (engine.major > 1)
    it("runs in a user namespace", async () => {
      const both = await startBoth(engine);
      const { containerd } = both;
      const before = filesOf(both);
      const name = await LOCAL_IMPORT.get(containerd, threeLayers(), PROXY);
      // By an idmapped mount; or by containerd, which gives all files to others, and parts hard links by that.
      for (const labels of [["--remap-labels"], []]) {
        const map = ["--uidmap", "0:100000:4000000", "--gidmap", "0:100000:4000000", ...labels];
        const id = `c${labels.length}`;
        await containerd.ask("run", "--detach", "--snapshotter", PROXY, ...map, name, id);
        expect(
          await exec(
            containerd,
            id,
            "cat /opt/gone/back; ls -n /opt/kept/a; touch /opt/mine; ls -n /opt/mine",
          ),
        ).toMatch(/^again\n-rw-r----- +[12] 1000 +100 .*\n.* 0 +0 /);
      }
      await removeAll(both);
      await expectNothingLeft(both, before);
    });
});
