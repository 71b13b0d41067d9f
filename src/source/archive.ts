import { fstatSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import { type ImageArchive, memberBytes, readImageArchive, storedMember } from "../tar/image-archive.ts";
import type { ImageForm } from "../tar/image-form.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import type { Documents } from "./documents.ts";
import { NOT_THERE } from "./not-whole.ts";

/** The files of an archive of an image, by name: where they lie in it. */
export class Archive implements Documents {
  readonly name: string;
  readonly form: ImageForm;
  private readonly file: LayerFile & { readonly fd: number };
  private readonly members: ImageArchive["members"];

  private constructor(file: LayerFile & { readonly fd: number }, { form, members }: ImageArchive) {
    this.file = file;
    this.name = file.name;
    this.form = form;
    this.members = members;
  }

  /**
   * @param file a plain tar, which stays open
   * @param isForced other files in it make no layer of it
   * @param onMixed see `readImageArchive`
   * @returns undefined when it is no archive of an image, or no tar at all: taking it for a layer reports that
   */
  static open(
    file: LayerFile,
    isForced: boolean,
    onMixed: (what: string, form: ImageForm) => void,
  ): Archive | undefined {
    const { fd, name } = file;
    if (fd === undefined) throw new TypeError(`${name}: not open`);
    const part = { at: 0, size: fstatSync(fd).size };
    const found = readImageArchive(fd, part, name, isForced ? "any" : onMixed);
    return found && new Archive({ ...file, fd }, found);
  }

  has(name: string): boolean {
    return storedMember(this.members, name) !== undefined;
  }

  size(name: string): number | undefined {
    return storedMember(this.members, name)?.size;
  }

  bytes(name: string): Buffer {
    const bytes = memberBytes(this.file.fd, storedMember(this.members, name));
    if (bytes === undefined) throw new OperationalError(`${this.shownName(name)}: ${NOT_THERE}`);
    return bytes;
  }

  layer(name: string): LayerFile {
    const { pieces, ...part } = storedMember(this.members, name) ?? { at: 0, size: 0 };
    return { ...this.file, name: this.shownName(name), part, pieces };
  }

  shownName(name: string): string {
    return `${this.name}: ${name}`;
  }
}
