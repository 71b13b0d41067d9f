import type { Interceptor } from "@connectrpc/connect";

const NAMESPACE = "containerd-namespace";

/** containerd keeps what people have apart by namespaces. */
export const inNamespace = (namespace: string) => ({ headers: { [NAMESPACE]: namespace } });

/** Calls that are the same in all namespaces still have to name one. */
export const withNamespace: Interceptor = (next) => (request) => {
  if (!request.header.has(NAMESPACE)) request.header.set(NAMESPACE, "default");
  return next(request);
};
