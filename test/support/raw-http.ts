import { connect } from "node:net";

/** For the end of a connection after all was sent: as long as a request may take, and more. */
const END_MS = 15_000;

/** Sends bytes, in pieces, and says no more. @returns all that came back until the end */
export function exchange(sock: string, pieces: readonly Uint8Array[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(sock);
    const timer = setTimeout(() => reject(new Error("the connection was left open")), END_MS);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {}); // it was closed before all was sent
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    for (const piece of pieces) socket.write(piece);
    socket.end();
  });
}

/** Splits what came back into answers. @throws where it is not HTTP */
export function answers(bytes: Buffer): { status: number; body: string }[] {
  const found: { status: number; body: string }[] = [];
  for (let rest = bytes.toString("latin1"); rest !== ""; ) {
    const head = /^HTTP\/1\.1 (\d{3}) [ \w-]+\r\n((?:[\w-]+: [^\r\n]*\r\n)*)\r\n/.exec(rest);
    if (head === null) throw new Error(`no answer: ${JSON.stringify(rest.slice(0, 200))}`);
    const status = Number(head[1]);
    const length = Number(/^content-length: (\d+)\r$/im.exec(head[2])?.[1] ?? 0);
    const body = rest.slice(head[0].length, head[0].length + length);
    rest = rest.slice(head[0].length + length);
    if (status >= 200) found.push({ status, body }); // 100: go on
  }
  return found;
}
