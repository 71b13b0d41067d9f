import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { Content } from "./gen/content_pb.ts";
import { type ApplyRequest, type ApplyResponse, Diff } from "./gen/diff_pb.ts";
import { type Image, Images } from "./gen/images_pb.ts";
import { Introspection, type Plugin, type ServerResponse } from "./gen/introspection_pb.ts";
import { Namespaces } from "./gen/namespaces_pb.ts";
import { Version } from "./gen/version_pb.ts";
import { transportTo } from "./transport.ts";

const NAMESPACE = "containerd-namespace";

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

  /** As `1.7.24`, of what was built by nobody known also other words. */
  async version(signal?: AbortSignal): Promise<string> {
    return (await createClient(Version, this.transport).version({}, signalOf(signal))).version;
  }

  /** Its process, as its own PID namespace numbers it. */
  server(signal?: AbortSignal): Promise<ServerResponse> {
    return createClient(Introspection, this.transport).server({}, signalOf(signal));
  }

  async namespaces(signal?: AbortSignal): Promise<string[]> {
    const { namespaces } = await createClient(Namespaces, this.transport).list({}, signalOf(signal));
    return namespaces.map(({ name }) => name);
  }

  async images(namespace: string, signal: AbortSignal): Promise<Image[]> {
    return (await createClient(Images, this.transport).list({}, { signal, ...inNamespace(namespace) }))
      .images;
  }

  /** Digests of all blobs that a namespace has. */
  async blobs(namespace: string, signal: AbortSignal): Promise<Set<string>> {
    const digests = new Set<string>();
    const asked = { signal, ...inNamespace(namespace) };
    for await (const { info } of createClient(Content, this.transport).list({}, asked))
      for (const { digest } of info) digests.add(digest);
    return digests;
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

/** containerd keeps what people have apart by namespaces. */
const inNamespace = (namespace: string) => ({ headers: { [NAMESPACE]: namespace } });

/** Calls that are the same in all namespaces still have to name one. */
const withNamespace: Interceptor = (next) => (request) => {
  if (!request.header.has(NAMESPACE)) request.header.set(NAMESPACE, "default");
  return next(request);
};
