import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { registerTemporary, unregisterTemporary, stopFirst } from "../atomic-file/clean-up.ts";
import { createLayerImage, type LayerImage, type LayerRequest } from "./create.ts";
import { WORTH_A_THREAD } from "./hash.ts";
import type { ThreadCommand, ThreadMessage } from "./layer-thread.ts";
import { errorOf, stopThread } from "./threads.ts";

/** A layer to build, and how long its file is; 0 when that is not known. */
export interface LayerJob {
  readonly request: LayerRequest;
  readonly bytes: number;
}

/**
 * Builds images of layers side by side: in threads where there is enough to do, else here. A file that is given several times is
 * one layer, and is read once.
 *
 * @param onBuilt called for each layer that is ready, in any order
 * @param here builds a layer in this thread
 * @throws what the first layer in their order that fails throws, when all that had begun have ended
 */
export async function createLayers<Here = LayerImage>(
  jobs: readonly LayerJob[],
  onBuilt: (created: LayerImage | Here, i: number) => void,
  here: (request: LayerRequest) => Promise<LayerImage | Here> = createLayerImage,
): Promise<void> {
  const groups = alike(jobs);
  const bytes = groups.reduce((sum, [first]) => sum + jobs[first].bytes, 0);
  // Standard input belongs to this thread.
  const isAlone = jobs.some(({ request }) => request.layer.path === "-");
  const worth = isAlone ? 0 : Math.floor(bytes / WORTH_A_THREAD);
  const threads = Math.min(groups.length, availableParallelism(), worth);
  const failures: { i: number; error: unknown }[] = [];
  let next = 0;
  const take = async (build: (request: LayerRequest) => Promise<LayerImage | Here>) => {
    while (next < groups.length && failures.length === 0) {
      const group = groups[next++];
      const [first] = group;
      try {
        const created = await build(jobs[first].request);
        for (const i of group) onBuilt(created, i);
      } catch (error) {
        failures.push({ i: first, error });
      }
    }
  };
  if (threads < 2) await take(here);
  else await Promise.all(Array.from({ length: threads }, () => inThread(take)));
  if (failures.length > 0) throw failures.sort((a, b) => a.i - b.i)[0].error;
}

type Group = [first: number, ...others: number[]];

/** Numbers of jobs, those together that are for one file, of which is known that it is the same. */
function alike(jobs: readonly LayerJob[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [i, { request }] of jobs.entries()) {
    const { version, part } = request.layer;
    const of = [version, part?.at, part?.size, request.blobId, request.isOfImage];
    const key = version === undefined ? `${i}` : of.join(" ");
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [i]);
    else known.push(i);
  }
  return [...groups.values()];
}

/** Starts a thread, lets `use` build layers with it, one after another, and ends it. */
async function inThread(
  use: (build: (request: LayerRequest) => Promise<LayerImage>) => Promise<void>,
): Promise<void> {
  const thread = new Worker(new URL("./layer-thread.js", import.meta.url));
  const mayLeave = stopFirst(() => stopThread(thread));
  let current: CurrentTask | undefined;
  thread.on("message", (said: ThreadMessage) => {
    if (said.say === "file") (said.isKept ? registerTemporary : unregisterTemporary)(said.path);
    else if (said.say === "warning") current?.warn(said.message);
    else if (said.say === "built") current?.resolve(said.created);
    else current?.reject(errorOf(said.failure));
  });
  thread.on("error", (error) => current?.reject(error));
  thread.on("exit", () => current?.reject(new Error("its thread ended")));
  try {
    await use(
      ({ warn, ...task }) =>
        new Promise((resolve, reject) => {
          current = { warn, resolve, reject };
          thread.postMessage(task satisfies ThreadCommand);
        }),
    );
  } finally {
    await thread.terminate();
    mayLeave();
  }
}

interface CurrentTask {
  readonly warn: (message: string) => void;
  readonly resolve: (created: LayerImage) => void;
  readonly reject: (error: unknown) => void;
}
