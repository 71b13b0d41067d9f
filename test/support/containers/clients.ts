import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Diff } from "../../../src/containerd/gen/diff_pb.ts";
import { Snapshots } from "../../../src/containerd/gen/snapshots_pb.ts";
import type { Both } from "./snapshotter.ts";

/** Calls the snapshotter as containerd does. */
export function clientsOf({ snapshotter }: Both) {
  const nodeOptions = { createConnection: () => connect(snapshotter.address) };
  const transport = createGrpcTransport({ baseUrl: "http://snapshotter", nodeOptions });
  return { snapshots: createClient(Snapshots, transport), diff: createClient(Diff, transport) };
}

/** The key of an image's highest layer, as the snapshotter has it, where there is only one image. */
export async function topOf(both: Both): Promise<string> {
  const infos: { name: string; parent: string }[] = [];
  for await (const { info } of clientsOf(both).snapshots.list({ filters: ["kind==committed"] }))
    infos.push(...info);
  return infos.find(({ name }) => !infos.some(({ parent }) => parent === name))?.name ?? "";
}
