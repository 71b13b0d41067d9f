import { describe, expect, it } from "vitest";
import { canonicalName, familiarName, parseReference } from "../../src/source/reference.ts";

const HEX = "a".repeat(64);
const AT = `@sha256:${HEX}`;

/** What distribution/reference 0.6.0 makes of a name: whole, with its tag or digest, and as docker shows it. */
describe("a name of an image", () => {
  const cases: [text: string, whole: string, familiar: string][] = [
    ["app", "docker.io/library/app:latest", "app"],
    ["app:1.0", "docker.io/library/app:1.0", "app:1.0"],
    ["app:_1", "docker.io/library/app:_1", "app:_1"],
    ["app:5000", "docker.io/library/app:5000", "app:5000"],
    ["library/app:1.0", "docker.io/library/app:1.0", "app:1.0"],
    ["docker.io/app", "docker.io/library/app:latest", "app"],
    ["docker.io/library/app:1.0", "docker.io/library/app:1.0", "app:1.0"],
    ["index.docker.io/app", "docker.io/library/app:latest", "app"],
    ["index.docker.io/library/app:1.0", "docker.io/library/app:1.0", "app:1.0"],
    ["me/app", "docker.io/me/app:latest", "me/app"],
    ["library/a/b", "docker.io/library/a/b:latest", "library/a/b"],
    ["docker.io/library/library/app", "docker.io/library/library/app:latest", "library/library/app"],
    ["localhost/app:1.0", "localhost/app:1.0", "localhost/app:1.0"],
    ["localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app"],
    ["registry.example:5000/a/b/c:v1", "registry.example:5000/a/b/c:v1", "registry.example:5000/a/b/c:v1"],
    ["app:5000/x", "app:5000/x:latest", "app:5000/x"],
    ["[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app:1"],
    ["[2001:db8::1]/app", "[2001:db8::1]/app:latest", "[2001:db8::1]/app"],
    ["Example/app", "Example/app:latest", "Example/app"],
    ["my.app/x", "my.app/x:latest", "my.app/x"],
    ["a__b", "docker.io/library/a__b:latest", "a__b"],
    ["a--b", "docker.io/library/a--b:latest", "a--b"],
    ["a.b_c-d", "docker.io/library/a.b_c-d:latest", "a.b_c-d"],
    [`app${AT}`, `docker.io/library/app${AT}`, `app${AT}`],
    [`app:1.0${AT}`, `docker.io/library/app:1.0${AT}`, `app:1.0${AT}`],
  ];
  it.each(cases)("%s", (text, whole, familiar) => {
    const { domain, path, tag, digest } = parseReference(text) ?? {};
    const said =
      digest === undefined ? canonicalName(text) : `${domain}/${path}${tag ? `:${tag}` : ""}@${digest}`;
    expect([said, familiarName(text)]).toEqual([whole, familiar]);
    // What is named by a digest alone is not the latest.
    if (digest !== undefined) expect(canonicalName(text)).toBe(tag && "docker.io/library/app:1.0");
  });

  const none = [
    ...["", "App", "app:", "app:1.0:2", "app:-1", "app:1.0+build", ":1.0", "app/", "/app", "a//b", "a___b"],
    ...["a..b", "a-", "-a", "a b", "app:1.0 ", "docker://app:1.0", "app@sha256:abc", `app@md5:${HEX}`, HEX],
    ...[`app:${"b".repeat(129)}`, `me/${"c".repeat(254)}`, "a/".repeat(100_000)],
  ];
  it.each(none)("none: %.40s", (text) => {
    expect(parseReference(text)).toBeUndefined();
    expect(familiarName(text)).toBe(text);
  });
});
