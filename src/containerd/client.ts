import { createClient, type Transport } from "@connectrpc/connect";
import { Content } from "./gen/content_pb.ts";
import { type ApplyRequest, type ApplyResponse, Diff } from "./gen/diff_pb.ts";
import { Introspection, type Plugin } from "./gen/introspection_pb.ts";
import { inNamespace, withNamespace } from "./namespace.ts";
import { transportTo } from "./transport.ts";

/** The containerd that this process works for, asked over its socket. */
export class Containerd {
  readonly address: string;
  private readonly transport: Transport;

  /** Connects at the first call, and again when containerd was started anew. */
  constructor(address: string) {
    this.address = address;
    this.transport = transportTo(address, [withNamespace]);
  }

  /** @throws ConnectError when it does not answer */
  async plugins(filter: string, signal?: AbortSignal): Promise<Plugin[]> {
    const client = createClient(Introspection, this.transport);
    return (await client.plugins({ filters: [filter] }, signalOf(signal))).plugins;
  }

  /** Has one of its own differs apply a layer. */
  apply(request: ApplyRequest, namespace: string, signal: AbortSignal): Promise<ApplyResponse> {
    return createClient(Diff, this.transport).apply(request, { signal, ...inNamespace(namespace) });
  }

  /** The bytes of a blob. */
  async *read(digest: string, namespace: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const client = createClient(Content, this.transport);
    for await (const { data } of client.read({ digest }, { signal, ...inNamespace(namespace) })) yield data;
  }
}

const signalOf = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });
