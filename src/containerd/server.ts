import {
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";

/** Answers requests of gRPC. */
export type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/**
 * A server of gRPC that listens before it can answer: containerd calls a snapshotter off that does not take a connection
 * at once. Requests wait until what answers them is loaded.
 *
 * @param handler never rejects
 */
export function createGrpcServer(handler: Promise<Handler>): Http2Server {
  let loaded: Handler | undefined;
  void handler.then((it) => {
    loaded = it;
  });
  return createServer((request, response) => {
    if (loaded !== undefined) loaded(request, response);
    else void handler.then((it) => it(request, response));
  });
}
