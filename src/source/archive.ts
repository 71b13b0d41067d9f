import { closeSync, fstatSync, openSync } from "node:fs";
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
  private readonly path: string;
  private readonly members: ImageArchive["members"];

  private constructor(path: string, name: string, { form, members }: ImageArchive) {
    this.path = path;
    this.name = name;
    this.form = form;
    this.members = members;
  }

  /**
   * @param path a plain tar
   * @param name of it, for messages
   * @param isForced other files in it make no layer of it
   * @param onMixed see `readImageArchive`
   * @returns undefined when it is no archive of an image, or no tar at all: taking it for a layer reports that
   */
  static open(
    path: string,
    name: string,
    isForced: boolean,
    onMixed: (what: string, form: ImageForm) => void,
  ): Archive | undefined {
    const fd = openSync(path, "r");
    try {
      const found = readImageArchive(
        fd,
        { at: 0, size: fstatSync(fd).size },
        name,
        isForced ? "any" : onMixed,
      );
      return found && new Archive(path, name, found);
    } finally {
      closeSync(fd);
    }
  }

  has(name: string): boolean {
    return storedMember(this.members, name) !== undefined;
  }

  size(name: string): number | undefined {
    return storedMember(this.members, name)?.size;
  }

  bytes(name: string): Buffer {
    const fd = openSync(this.path, "r");
    try {
      const bytes = memberBytes(fd, storedMember(this.members, name));
      if (bytes === undefined) throw new OperationalError(`${this.shownName(name)}: ${NOT_THERE}`);
      return bytes;
    } finally {
      closeSync(fd);
    }
  }

  layer(name: string): LayerFile {
    const { pieces, ...part } = storedMember(this.members, name) ?? { at: 0, size: 0 };
    return { path: this.path, name: this.shownName(name), part, pieces };
  }

  shownName(name: string): string {
    return `${this.name}: ${name}`;
  }
}
