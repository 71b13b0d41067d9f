import { existsSync, readFileSync } from "node:fs";
import { messageOf } from "../bytes/errors.ts";
import { isRecord } from "../config-file/keys.ts";
import { parseText } from "../config-file/text.ts";
import { findProgram } from "../tar/program.ts";
import type { Lines } from "./containerd-tables.ts";
import { type Finding, ok, warn } from "./finding.ts";

const FILE = "/etc/docker/daemon.json";

/** Whether Docker keeps its images with containerd, and by our snapshotter. @param name of it, as containerd knows it */
export function examineDocker(name: string): { readonly finding: Finding; readonly lines: readonly Lines[] } {
  const called = "docker";
  if (findProgram(["dockerd"]) === undefined && !existsSync(FILE))
    return { finding: ok(called, "no dockerd on the PATH"), lines: [] };
  const wanted = { features: { "containerd-snapshotter": true }, "storage-driver": name };
  const how = existsSync(FILE) ? "change" : "append";
  const lines: Lines[] = [{ for: "docker", file: FILE, how, text: JSON.stringify(wanted, null, 2) }];
  try {
    const { data } = how === "change" ? parseText(readFileSync(FILE, "utf8"), FILE) : { data: {} };
    const set = isRecord(data) ? data : {};
    const isOn = isRecord(set["features"]) && set["features"]["containerd-snapshotter"] === true;
    if (isOn && set["storage-driver"] === name)
      return { finding: ok(called, `keeps images with containerd, by ${name}`), lines: [] };
    const found = isOn ? `keeps images with containerd, not by ${name}` : "keeps images by itself";
    return { finding: warn(called, found, `for Docker's images: the lines for ${FILE}`), lines };
  } catch (error) {
    return { finding: warn(called, messageOf(error), `mend ${FILE}`), lines };
  }
}
