import { expect, it } from "vitest";
import { LayerIntake } from "../../src/snapshotter/layer-intake.ts";

/** Nothing that is behind it may be asked. */
const none = new Proxy({}, { get: (_, key) => () => expect.unreachable(String(key)) }) as never;
const intake = new LayerIntake(none, none, none, none);

it.each([
  "sha256:../../../etc/shadow",
  "../..:x",
  "sha256:",
  "sha256",
  "",
  "sha256:a\n",
  "sha256:a:b",
  "sha256:a/b",
  ":",
])("asks for no blob under %j, which is no digest", async (digest) => {
  const blob = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 1 };
  await expect(intake.take(blob, "k8s.io/1/x", AbortSignal.any([]))).rejects.toThrow(`${digest}: no digest`);
});
