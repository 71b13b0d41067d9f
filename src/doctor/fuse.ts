import { closeSync, openSync } from "node:fs";
import { messageOf } from "../bytes/errors.ts";
import { deviceTrouble } from "../fuse/device.ts";
import { fsconfig, fscreate, fsopen } from "../syscalls/mount-api.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { findProgram } from "../tar/program.ts";
import { type Finding, missing, ok, warn } from "./finding.ts";

/** What FUSE needs, and whether `--driver fuse` can mount: tried by root, but attached nowhere. */
export async function examineFuse(): Promise<Finding[]> {
  const trouble = deviceTrouble();
  const [what = "", cure = ""] = trouble?.split(": ", 2) ?? ["/dev/fuse can be opened"];
  const device = trouble === undefined ? ok("fuse-device", what) : missing("fuse-device", what, cure);
  const program = findProgram(["fusermount", "fusermount3"]);
  const helper =
    program === "fusermount"
      ? ok("fusermount", "fusermount is there")
      : warn(
          "fusermount",
          `${program ?? "no fusermount"} only`,
          "install fuse3: users who are not root need it",
        );
  const name = "driver-fuse";
  if (trouble !== undefined) return [device, helper, missing(name, "there is no device to use", cure)];
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0)
    return [
      device,
      helper,
      program === "fusermount"
        ? ok(name, `user ${uid} mounts through fusermount`)
        : missing(
            name,
            `user ${uid} may not mount, and there is no fusermount`,
            "install fuse3, or run as root",
          ),
    ];
  try {
    await mountFuse();
    return [device, helper, ok(name, "a FUSE file system was made")];
  } catch (error) {
    return [device, helper, missing(name, messageOf(error), "give the container CAP_SYS_ADMIN")];
  }
}

/** Makes a FUSE file system that is neither served nor attached; closing the device ends it. */
async function mountFuse(): Promise<void> {
  await loadSystemCalls();
  const device = openSync("/dev/fuse", "r+");
  const fd = fsopen("fuse");
  try {
    const options = { fd: device, rootmode: 40000, user_id: 0, group_id: 0 };
    for (const [key, value] of Object.entries(options)) fsconfig(fd, key, String(value));
    fscreate(fd);
  } finally {
    closeSync(fd);
    closeSync(device);
  }
}
