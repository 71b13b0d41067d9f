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
