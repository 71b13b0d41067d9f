/** Of a document or a layer that an image names. */
export const NOT_THERE = "not there: not all of the image was copied; copy it again, e.g. with skopeo copy";
