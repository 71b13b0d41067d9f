import { connect } from "node:net";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

/** gRPC over a socket: connects at the first call, and again when who listens was started anew. @param address its path */
export const transportTo = (address: string, interceptors: Interceptor[] = []): Transport =>
  createGrpcTransport({
    baseUrl: "http://socket", // a name that is never looked up: the connection is the socket's
    nodeOptions: { createConnection: () => connect(address) },
    interceptors,
  });
