import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";
import type { OciImage } from "./oci-image.ts";

/** What becomes of an answer instead. */
export interface Fault {
  readonly status?: number;
  /** Other bytes than the right ones. */
  readonly bytes?: Uint8Array;
  /** The answer ends, its connection too, after so many bytes. */
  readonly cutAfter?: number;
  /** The answer waits for this after its first half. */
  readonly half?: Promise<void>;
}

/** A registry of the OCI distribution specification, for reading, in this process. */
export interface Registry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Paths of all requests, in their order. */
  readonly requests: string[];
  /** Has an image under a name. @returns what to pull */
  add(name: string, image: OciImage): string;
  /** Says what is wrong with a request; nothing is, by default. */
  fault: (path: string) => Fault | undefined;
}

const running = new Set<ReturnType<typeof createServer>>();
afterEach(() => {
  for (const server of running) {
    server.close();
    server.closeAllConnections();
  }
  running.clear();
});

/**
 * Starts one on loopback; it ends with the test.
 *
 * @param certificate makes it one of TLS, and is where its certificate is put: whoever trusts that file trusts it
 */
export async function startRegistry(certificate?: string): Promise<Registry> {
  const blobs = new Map<string, Uint8Array>();
  const manifests = new Map<string, { digest: string; mediaType: string }>();
  const handler = (request: IncomingMessage, response: ServerResponse) => answer(request, response);
  const server =
    certificate === undefined ? createServer(handler) : createTlsServer(identity(certificate), handler);
  running.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const registry: Registry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    add: (name, { manifest, blobs: all }) => {
      for (const [digest, bytes] of all) blobs.set(digest, bytes);
      manifests.set(`${name}/manifests/latest`, manifest);
      manifests.set(`${name}/manifests/${manifest.digest}`, manifest);
      return `${registry.host}/${name}:latest`;
    },
    fault: () => undefined,
  };

  const answer = ({ method, url = "" }: IncomingMessage, response: ServerResponse): void => {
    registry.requests.push(`${method} ${url}`);
    const path = url.replace(/^\/v2\//, "").replace(/\?.*/, "");
    const digest = manifests.get(path)?.digest ?? /\/blobs\/(sha256:\w+)$/.exec(path)?.[1] ?? "";
    const right = path === "" ? Buffer.from("{}") : blobs.get(digest);
    const fault = registry.fault(path) ?? {};
    if (right === undefined || fault.status !== undefined) {
      response.writeHead(fault.status ?? 404, { "content-type": "application/json" }).end('{"errors":[]}');
      return;
    }
    const bytes = fault.bytes ?? right;
    response.writeHead(200, {
      "content-type": manifests.get(path)?.mediaType ?? "application/octet-stream",
      "content-length": bytes.length,
      ...(digest !== "" && { "docker-content-digest": digest }),
    });
    if (method === "HEAD") response.end();
    else void send(response, bytes, fault);
  };
  return registry;
}

/** A key and a certificate of its own for loopback. */
function identity(path: string): { key: Buffer; cert: Buffer } {
  const key = `${path}.key`;
  execFileSync(
    "openssl",
    [
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ],
      ...["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", path],
    ],
    { stdio: "pipe" },
  );
  return { key: readFileSync(key), cert: readFileSync(path) };
}

async function send(response: ServerResponse, bytes: Uint8Array, { cutAfter, half }: Fault): Promise<void> {
  if (cutAfter !== undefined) {
    response.write(bytes.subarray(0, cutAfter), () => response.destroy());
    return;
  }
  if (half !== undefined) {
    response.write(bytes.subarray(0, bytes.length / 2));
    await half;
    response.end(bytes.subarray(bytes.length / 2));
    return;
  }
  response.end(bytes);
}
