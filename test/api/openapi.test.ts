import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it } from "vitest";
import { ROUTES } from "../../src/api/routes.ts";
import { say, startManaged } from "../support/api.ts";
import { ask } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly schema: { readonly enum?: string[] } }[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

const document = JSON.parse(readFileSync("docs/openapi.json", "utf8"));
const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);
const ajv = new Ajv2020({ strict: false });
ajv.addSchema(document, "api");

type Call = readonly [path: string, body?: string | undefined];

/** How an operation can be called: as it is meant, with each parameter, and wrongly. */
function calls(path: string, { parameters = [], requestBody }: Operation): Call[] {
  const query = (name: string, value: string) => `${path}?${name}=${encodeURIComponent(value)}`;
  const values = parameters.flatMap(({ name, schema }) =>
    (schema.enum ?? ["/", "no such"]).map((value): [string] => [query(name, value)]),
  );
  if (path === MOUNT) {
    const body = requestBody && order;
    return [
      [path, body],
      ...values.map(([url]): Call => [url, body]).reverse(),
      wrong(values[0][0], requestBody),
    ];
  }
  const bodies = requestBody === undefined ? [undefined] : ["info", "bogus"].map(level);
  return [...bodies.map((body): Call => (body ? [path, body] : [path])), ...values, wrong(path, requestBody)];
}
const MOUNT = "/api/v1/mount";
const { path: source, devices } = fixture("01-basic");
const order = JSON.stringify({
  fs_type: "rafs",
  source,
  config: JSON.stringify({ version: 2, backend: { type: "localfs", localfs: { blob_file: devices[0] } } }),
});
const level = (name: string) => JSON.stringify({ log_level: name });
const wrong = (path: string, requestBody: unknown): Call =>
  requestBody === undefined ? [path, "{}"] : [path];

const pointer = (text: string) => encodeURIComponent(text.replaceAll("~", "~0").replaceAll("/", "~1"));

it("docs/openapi.json names what is served, and nothing else", () => {
  const served = ROUTES.map(({ method, path, takesBody }) => `${method} ${path} ${takesBody}`);
  const named = operations.map(
    ({ method, path, operation }) => `${method} ${path} ${operation.requestBody !== undefined}`,
  );
  expect(named.sort()).toEqual(served.sort());
});

it("every answer is one that docs/openapi.json promises", async () => {
  const daemon = await startManaged("01-basic", "--id", "one", "--file-stats");
  await ask('find "$1" -type f -exec cat {} + >/dev/null', daemon.mountpoint);
  const seen = new Set<string>();
  const broken: unknown[] = [];
  // What ends the daemon comes last.
  for (const { path, method, operation } of operations.sort(
    (a, b) => Number(isExit(a.path)) - Number(isExit(b.path)),
  ))
    for (const [url, body] of calls(path, operation).reverse()) {
      const { status, text } = await say(daemon.sock, `${method} ${url}`, body);
      seen.add(`${method} ${path} ${status}`);
      const promised = operation.responses[status];
      const at = [
        "paths",
        path,
        method.toLowerCase(),
        "responses",
        `${status}`,
        "content",
        "application/json",
        "schema",
      ];
      const validate = promised?.content && ajv.getSchema(`api#/${at.map(pointer).join("/")}`);
      const isRight =
        validate === undefined ? promised !== undefined && text === "" : validate(JSON.parse(text));
      if (!isRight) broken.push({ method, url, body, status, text, errors: validate?.errors });
    }
  expect(broken).toEqual([]);
  expect(await daemon.exited).toBe(0);
  const promised = operations.flatMap(({ path, method, operation }) =>
    Object.keys(operation.responses).map((status) => `${method} ${path} ${status}`),
  );
  // A daemon of one image passes READY in a moment, and nothing is being answered here.
  const rare = [
    ...["PUT /api/v1/daemon/start 204", "GET /api/v1/metrics/inflight 200"],
    // test/takeover has these
    "PUT /api/v1/daemon/upgrade 204",
    ...["PUT /api/v1/daemon/fuse/sendfd 204", "PUT /api/v1/daemon/fuse/sendfd 503"],
    ...["PUT /api/v1/daemon/fuse/takeover 204", "PUT /api/v1/daemon/fuse/takeover 500"],
    ...["DELETE", "POST", "PUT"].map((method) => `${method} ${MOUNT} 501`), // fuse-native's
    ...["DELETE", "POST", "PUT"].map((method) => `${method} ${MOUNT} 507`), // test/handover/not-written has these
  ];
  expect(promised.filter((each) => !seen.has(each)).sort()).toEqual(rare.sort());
});

const isExit = (path: string) => path.endsWith("/exit");
