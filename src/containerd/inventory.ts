import { createClient, type Transport } from "@connectrpc/connect";
import { Content } from "./gen/content_pb.ts";
import { type Image, Images } from "./gen/images_pb.ts";
import { Introspection, type ServerResponse } from "./gen/introspection_pb.ts";
import { Namespaces } from "./gen/namespaces_pb.ts";
import { Version } from "./gen/version_pb.ts";
import { inNamespace, withNamespace } from "./namespace.ts";
import { transportTo } from "./transport.ts";

/** What a containerd is, and what it has: asked by who looks after it. Apart from its client, which has to be loaded soon. */
export class Inventory {
  private readonly transport: Transport;

  constructor(address: string) {
    this.transport = transportTo(address, [withNamespace]);
  }

  /** As `1.7.24`; builds of nobody known have other words. */
  async version(signal: AbortSignal): Promise<string> {
    return (await createClient(Version, this.transport).version({}, { signal })).version;
  }

  /** Its process, as its own PID namespace numbers it. */
  server(signal: AbortSignal): Promise<ServerResponse> {
    return createClient(Introspection, this.transport).server({}, { signal });
  }

  async namespaces(signal: AbortSignal): Promise<string[]> {
    const { namespaces } = await createClient(Namespaces, this.transport).list({}, { signal });
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
}
