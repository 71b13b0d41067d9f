import { type Routes, TRANSFER, type Unpack } from "./containerd-routes.ts";
import type { Settings } from "./containerd-settings.ts";
import { type Place, placeOf } from "./toml-place.ts";

/** Lines for a file: what scripts rely on. */
export interface Lines {
  /** `kubernetes` has all pods on it, `runtime-handler` those of a RuntimeClass. */
  readonly for: "containerd" | "kubernetes" | "runtime-handler" | "docker";
  readonly file: string;
  /** `change`: the table is there already, and gets these values. */
  readonly how: "append" | "change";
  readonly text: string;
}

/** Tables that are missing from a file, and those that have to be changed. */
export class Tables {
  private readonly settings: Settings;
  private readonly appended: string[];
  private readonly changed: string[] = [];

  /** @param top lines before the first table */
  constructor(settings: Settings, top: readonly string[] = []) {
    this.settings = settings;
    this.appended = [...top];
  }

  add(path: readonly string[], lines: readonly string[]): void {
    const to = this.placeOf(path) === "absent" ? this.appended : this.changed;
    to.push([`[${keys(path)}]`, ...lines.map((line) => `  ${line}`)].join("\n"));
  }

  setUnpack({ platform, snapshotter, differ }: Unpack, { unpacks }: Routes): void {
    const path = ["plugins", TRANSFER, "unpack_config"];
    const isThere = unpacks.some((each) => each.snapshotter === snapshotter && each.platform === platform);
    const to =
      this.placeOf(path) === "inline" || (isThere && this.placeOf(path) === "header")
        ? this.changed
        : this.appended;
    const values = Object.entries({ platform, snapshotter, differ });
    to.push([`[[${keys(path)}]]`, ...values.map(([key, value]) => `  ${key} = ${quoted(value)}`)].join("\n"));
  }

  lines(what: Lines["for"]): Lines[] {
    const { file } = this.settings;
    const one = (how: Lines["how"], parts: readonly string[]): Lines[] =>
      parts.some((part) => part.startsWith("[")) ? [{ for: what, file, how, text: parts.join("\n") }] : [];
    return [...one("append", this.appended), ...one("change", this.changed)];
  }

  private placeOf(path: readonly string[]): Place {
    return placeOf(this.settings.text ?? "", this.settings.own, path);
  }
}

export const quoted = (text: string) => JSON.stringify(text);
export const listed = (texts: readonly string[]) => `[${texts.map(quoted).join(", ")}]`;
const keys = (path: readonly string[]) =>
  path.map((key) => (/^[\w-]+$/.test(key) ? key : quoted(key))).join(".");
