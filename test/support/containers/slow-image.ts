import { randomBytes } from "node:crypto";
import { tarOf } from "../../mkfs/emit.ts";
import { base } from "./images.ts";
import { type OciImage, ociImage } from "./oci-image.ts";

/** Of a layer's only file. */
const LAYER_BYTES = 2 << 20;

/** An image that takes its time to be unpacked: layers that do not compress, each of one file that nobody else has. */
export const slowImage = (layers: number): OciImage =>
  ociImage([
    { tar: base() },
    ...Array.from({ length: layers }, (_, i) => ({
      tar: tarOf([
        { name: "opt/", type: "5" },
        { name: `opt/random-${i}`, data: randomBytes(LAYER_BYTES).toString("latin1") },
      ]),
    })),
  ]);
