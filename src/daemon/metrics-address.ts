import type { Address } from "../prometheus/http.ts";

/** Only this machine may ask, unless the address says otherwise. */
const LOOPBACK = "127.0.0.1";
const ADDRESS = /^(?:(?:\[([\da-f:.%a-z]+)\]|([\w.-]+)):)?(\d{1,5})$/i;

/** @returns undefined when it is none: PORT, HOST:PORT or [IPV6]:PORT */
export function parseAddress(text: string): Address | undefined {
  const [, v6, name, digits] = ADDRESS.exec(text) ?? [];
  const port = Number(digits);
  return port <= 65_535 ? { host: v6 ?? name ?? LOOPBACK, port } : undefined;
}
