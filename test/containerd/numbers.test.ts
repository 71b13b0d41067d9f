import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type DescField, type DescFile, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { file_content } from "../../src/containerd/gen/content_pb.ts";
import { file_diff } from "../../src/containerd/gen/diff_pb.ts";
import { file_images } from "../../src/containerd/gen/images_pb.ts";
import { file_introspection } from "../../src/containerd/gen/introspection_pb.ts";
import { file_namespaces } from "../../src/containerd/gen/namespaces_pb.ts";
import { file_snapshots } from "../../src/containerd/gen/snapshots_pb.ts";
import { file_types } from "../../src/containerd/gen/types_pb.ts";
import { file_version } from "../../src/containerd/gen/version_pb.ts";
import { goProgram } from "../support/go-program.ts";
import { needs } from "../support/needs.ts";

const PROGRAM = goProgram({
  name: "containerd-descriptors",
  source: fileURLToPath(new URL("descriptors", import.meta.url)),
  build: ["build"],
  what: "a program that prints containerd's messages",
});

/** All that containerd knows; what is only ours, administration, is not among them. */
const FILES = [
  ...[file_content, file_diff, file_images, file_introspection],
  ...[file_namespaces, file_snapshots, file_types, file_version],
];
/** Messages of ours that have another name there: a name is nothing on the wire. */
const THEIR_NAME = new Map([["containerd.services.introspection.v1.Status", "google.rpc.Status"]]);
const theirs = (name: string): string => THEIR_NAME.get(name) ?? name;

interface Field {
  readonly number: number;
  readonly name: string;
  readonly kind: string;
  readonly repeated: boolean;
  readonly message: string;
}
interface Method {
  readonly name: string;
  readonly input: string;
  readonly output: string;
  readonly streaming: boolean;
}
interface Api {
  readonly messages: Readonly<Record<string, readonly Field[]>>;
  readonly services: Readonly<Record<string, readonly Method[]>>;
}

function fieldOf(field: DescField): Field {
  const { number, name, fieldKind } = field;
  const message = field.message === undefined || fieldKind === "map" ? "" : theirs(field.message.typeName);
  const kind =
    fieldKind === "map"
      ? "map"
      : message === ""
        ? ScalarType[(field as { scalar: ScalarType }).scalar].toLowerCase()
        : "message";
  return { number, name, kind, repeated: fieldKind === "list", message };
}

/** What is not as containerd has it. An enum is a number on the wire. */
function differences(api: Api, files: readonly DescFile[]): string[] {
  const ofMessage = ({ typeName, fields }: DescMessage) => {
    const known = api.messages[theirs(typeName)];
    if (known === undefined) return [`${typeName}: no such message`];
    return fields.map(fieldOf).flatMap((field) => {
      const same = known.find(({ number }) => number === field.number);
      const wanted = same?.kind === "enum" ? { ...same, kind: "int32" } : same;
      return JSON.stringify(wanted) === JSON.stringify(field)
        ? []
        : [`${typeName}: ${JSON.stringify(field)}, want ${JSON.stringify(wanted)}`];
    });
  };
  const ofServices = files.flatMap(({ services }) =>
    services.flatMap(({ typeName, methods }) =>
      methods.flatMap(({ name, input, output, methodKind }) => {
        const method = {
          ...{ name, input: input.typeName, output: output.typeName },
          streaming: methodKind === "server_streaming",
        };
        const known = api.services[typeName]?.find((each) => each.name === name);
        return JSON.stringify(known) === JSON.stringify(method)
          ? []
          : [`${typeName}: ${JSON.stringify(method)}`];
      }),
    ),
  );
  return [...files.flatMap(({ messages }) => messages).flatMap(ofMessage), ...ofServices];
}

describe("messages, by containerd's published descriptors", () => {
  needs(PROGRAM.absent());
  const published = (): Api => JSON.parse(execFileSync(PROGRAM.path, { encoding: "utf8" }));

  it("have its names, numbers and types, and its services", () => {
    const messages = FILES.flatMap((file) => file.messages);
    expect(messages.length).toBeGreaterThan(35);
    expect(differences(published(), FILES)).toEqual([]);
  });

  it("all of them that containerd calls a snapshotter and a differ with", () => {
    const { services } = published();
    for (const [name, file] of [
      ["containerd.services.snapshots.v1.Snapshots", file_snapshots],
      ["containerd.services.diff.v1.Diff", file_diff],
    ] as const) {
      const ours = file.services.flatMap(({ methods }) => methods.map((method) => method.name));
      expect(ours.sort()).toEqual(services[name]?.map((method) => method.name).sort());
    }
  });

  it.each([
    ["number", (field: Field) => ({ ...field, number: field.number + 1 })],
    ["type", (field: Field) => ({ ...field, kind: "bytes" })],
    ["name", (field: Field) => ({ ...field, name: "other" })],
  ])("another %s would be told", (_, change) => {
    const api = published();
    const name = "containerd.types.Descriptor";
    const fields = api.messages[name]?.map((field) => (field.name === "size" ? change(field) : field)) ?? [];
    const changed = { ...api, messages: { ...api.messages, [name]: fields } };
    expect(differences(changed, FILES)).toEqual([expect.stringContaining('"name":"size"')]);
  });
});
