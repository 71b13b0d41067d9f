import { existsSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf } from "../bytes/errors.ts";
import { examineErofs } from "./erofs.ts";
import { type Finding, missing, ok, warn } from "./finding.ts";
import { examineFuse } from "./fuse.ts";
import { examineKernel, examineOverlayfs, examineUserNamespaces } from "./host.ts";
import { containerdLines, kubernetesLines } from "./containerd-lines.ts";
import type { Lines } from "./containerd-tables.ts";
import { routesOf } from "./containerd-routes.ts";
import { isOfVersion1, readSettings, type Settings } from "./containerd-settings.ts";
import { askContainerd, type ContainerdState } from "./containerd-state.ts";
import { examineCapabilities, examineSocket, examineWiring } from "./containerd-wiring.ts";
import { examineKubernetes } from "./containerd-kubernetes.ts";
import { examineDiscardedLayers } from "./discarded-layers.ts";
import { examineDocker } from "./docker.ts";
import { wantedOf } from "./wanted.ts";

/** What is asked about. */
export interface SnapshotterQuestion {
  /** What the lines call the snapshotter, where containerd has no name for it yet. */
  readonly name: string;
  readonly root: string;
  readonly address: string;
  readonly containerdAddress: string;
  /** Instead of the file that containerd was started with. */
  readonly containerdConfig?: string | undefined;
  /** `1.7`, where containerd does not run yet. */
  readonly containerdVersion?: string | undefined;
}

/** What was found, and the lines that are missing. */
export interface SnapshotterReport {
  readonly findings: readonly Finding[];
  readonly lines: readonly Lines[];
  /** Whether images can be pulled and run. */
  readonly works: boolean;
}

/** Without any of them no image is run. */
const NEEDED = new Set(
  "containerd containerd-config snapshotter proxy-snapshotter proxy-differ route-diff-service route-transfer".split(
    " ",
  ),
);
const BLOBS_MS = 60_000;

/**
 * Looks at all that an image of containerd passes on its way: the kernel, containerd as it runs and as it is configured, our socket.
 * Nothing is changed.
 */
export async function examineSnapshotter(asked: SnapshotterQuestion): Promise<SnapshotterReport> {
  const question = { ...asked, root: resolve(asked.root), address: resolve(asked.address) };
  const drivers = [...(await examineFuse()), ...(await examineErofs([placeOf(question.root)]))];
  const isOk = (pattern: RegExp) => drivers.some(({ name, state }) => pattern.test(name) && state === "ok");
  const state = await askContainerd(question.containerdAddress, question.containerdVersion);
  const host = [examineKernel(), ...drivers, examineOverlayfs(), examineUserNamespaces()];
  const { findings, lines } = await examineContainerd(question, state, isOk(/^driver-erofs/));
  const all = [...host, state.finding, await examineSocket(question.address), ...findings];
  const lacks = ({ name, state: is }: Finding) => is === "missing" && NEEDED.has(name);
  return { findings: all, lines, works: isOk(/^driver-/) && !all.some(lacks) };
}

async function examineContainerd(
  question: SnapshotterQuestion,
  state: ContainerdState,
  hasErofs: boolean,
): Promise<{ readonly findings: readonly Finding[]; readonly lines: readonly Lines[] }> {
  const { version, plugins, pid, client, inventory } = state;
  if (version === undefined) return { findings: [], lines: [] };
  const read = settingsOf(pid, question.containerdConfig);
  if (!("settings" in read)) return { findings: [read.finding], lines: [] };
  const { settings } = read;
  const wanted = wantedOf(question, version, hasErofs);
  const routes = routesOf(settings.effective, question.address);
  const kubernetes = examineKubernetes(wanted, routes, plugins);
  const docker = examineDocker(routes.snapshotter ?? wanted.name);
  const isRunning = plugins.length > 0;
  const lines = [
    ...containerdLines(wanted, settings, routes),
    ...(kubernetes.isUnused ? kubernetesLines(wanted, settings, routes) : []),
    ...docker.lines,
  ];
  const findings = [
    read.finding,
    ...examineWiring(wanted, routes, plugins),
    examineCapabilities(wanted, routes, hasErofs),
    ...[kubernetes.finding, docker.finding],
    ...(isRunning ? [await examineDiscardedLayers(client, inventory, AbortSignal.timeout(BLOBS_MS))] : []),
  ];
  return { findings, lines: isOfVersion1(settings) ? [] : lines };
}

type Read = { readonly settings: Settings; readonly finding: Finding } | { readonly finding: Finding };

function settingsOf(pid: number | undefined, file: string | undefined): Read {
  const name = "containerd-config";
  try {
    const settings = readSettings(pid, file);
    const { text, notDumped } = settings;
    const where = text === undefined ? `no ${settings.file}` : settings.file;
    if (isOfVersion1(settings))
      return {
        settings,
        finding: missing(
          name,
          `${where}: of version 1`,
          "containerd config migrate prints it as a later version",
        ),
      };
    const finding =
      notDumped === undefined
        ? ok(name, `${where}, as containerd takes it`)
        : warn(
            name,
            `${where}, without what it imports: ${notDumped}`,
            "run this as root, beside containerd",
          );
    return { settings, finding };
  } catch (error) {
    return { finding: missing(name, messageOf(error), "mend it, or name another by --containerd-config") };
  }
}

/** The directory below which the root is, or will be. */
function placeOf(root: string): string {
  let at = resolve(root);
  while (!existsSync(at)) at = dirname(at);
  return realpathSync(at);
}
