import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { Administration } from "../containerd/gen/administration_pb.ts";
import { Diff } from "../containerd/gen/diff_pb.ts";
import { type Info, InfoSchema, Snapshots as SnapshotsService } from "../containerd/gen/snapshots_pb.ts";
import { refuse } from "../containerd/refusal.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { CleanUp } from "./clean-up.ts";
import type { Differ } from "./differ.ts";
import type { ExportedDisks } from "./exported-disks.ts";
import type { MountAnswer } from "./mount-answers.ts";
import type { SnapshotKind, SnapshotRecord } from "./record.ts";
import type { Snapshots } from "./snapshots.ts";

const KINDS: Readonly<Record<SnapshotKind, number>> = { view: 1, active: 2, committed: 3 };
/** Snapshots that go into one message of a list. */
const BATCH = 100;
const LABEL = "labels.";
/** Of a label and its value together. */
const MAX_LABEL = 4096;

/** What is behind the services. */
export interface Served {
  readonly snapshots: Snapshots;
  readonly differ: Differ;
  readonly cleanUp: CleanUp;
  readonly store: LayerStore;
  readonly disks: ExportedDisks;
}

/** The two services that containerd calls, and the one for administrators, by what does the work. */
export const routesOf =
  ({ snapshots, differ, cleanUp, store, disks }: Served) =>
  (router: ConnectRouter): void => {
    router.service(SnapshotsService, {
      prepare: async (request) => ({ mounts: shown(await snapshots.make("active", checked(request))) }),
      view: async (request) => ({ mounts: shown(await snapshots.make("view", checked(request))) }),
      mounts: async ({ key }) => ({ mounts: shown(await snapshots.mounts(key)) }),
      commit: async (request) => {
        await snapshots.commit(checked(request));
        return {};
      },
      remove: async ({ key }) => {
        await snapshots.remove(key);
        return {};
      },
      stat: ({ key }) => ({ info: infoOf(snapshots.stat(key)) }),
      update: async ({ info, updateMask }) => {
        if (info === undefined) throw refuse("invalid argument", "nothing to update");
        const only = labelsIn(updateMask?.paths ?? []);
        return { info: infoOf(await snapshots.update(info.name, checked(info).labels, only)) };
      },
      list: ({ filters }) => inBatches(snapshots.list(filters)),
      usage: async ({ key }) => {
        const { size, inodes } = await snapshots.usage(key);
        return { size: BigInt(size), inodes: BigInt(inodes) };
      },
      cleanup: async () => {
        await cleanUp.run();
        return {};
      },
    });
    router.service(Administration, {
      contents: async ({ measure }) => {
        const { contentsOf } = await import("./contents.ts");
        return contentsOf(snapshots, store, disks, measure);
      },
      garbage: async () => ({ garbage: await cleanUp.garbage() }),
    });
    router.service(Diff, {
      apply: async (request, { signal }) => ({ applied: await differ.apply(request, signal) }),
      // containerd compares the two mounts itself then.
      diff: () => {
        throw refuse("unimplemented", "differences are for containerd to find");
      },
    });
  };

const shown = (answers: readonly MountAnswer[]) =>
  answers.map(({ type, source, options }) => ({ type, source, options: [...options] }));

function infoOf({ key, parent, kind, labels, createdAt, updatedAt }: SnapshotRecord): Info {
  const times = { createdAt: timestampOf(createdAt), updatedAt: timestampOf(updatedAt) };
  return create(InfoSchema, { name: key, parent, kind: KINDS[kind], labels: { ...labels }, ...times });
}

function timestampOf(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return create(TimestampSchema, {
    seconds: BigInt(seconds),
    nanos: Math.floor((ms - seconds * 1000) * 1_000_000),
  });
}

function* batches(records: readonly SnapshotRecord[]) {
  for (let i = 0; i < records.length; i += BATCH) yield { info: records.slice(i, i + BATCH).map(infoOf) };
}

/** The list is made when it is asked for, not when it is read. */
async function* inBatches(records: readonly SnapshotRecord[]) {
  yield* batches(records);
}

function checked<T extends { readonly labels: Readonly<Record<string, string>> }>(request: T): T {
  for (const [label, value] of Object.entries(request.labels))
    if (Buffer.byteLength(label) + Buffer.byteLength(value) > MAX_LABEL)
      throw refuse(
        "invalid argument",
        `label ${label.slice(0, 64)} and its value are longer than ${MAX_LABEL} bytes`,
      );
  return request;
}

/** @returns undefined: all labels */
function labelsIn(paths: readonly string[]): string[] | undefined {
  if (paths.length === 0 || paths.includes("labels")) return undefined;
  return paths.map((path) => {
    if (!path.startsWith(LABEL)) throw refuse("invalid argument", `cannot update ${path} of a snapshot`);
    return path.slice(LABEL.length);
  });
}
