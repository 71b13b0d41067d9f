import { BlobFiles } from "../blob/blob-files.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "./image-file-system.ts";
import type { OpenedImage } from "./open-image.ts";

/** An image as a file system of whose files no byte is read: names, attributes and what lies in the image itself. */
export const metadataOf = ({ handle, files }: OpenedImage): ImageFileSystem =>
  new ImageFileSystem(new Image(handle), new BlobFiles(files, () => {}));
