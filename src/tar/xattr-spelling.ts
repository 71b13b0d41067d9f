/**
 * How writers spell names of extended attributes in keys of pax records, where `=` ends a key. Names are latin1 strings here: a
 * character is a byte.
 */

/** GNU tar, which reads no other escapes (src/xheader.c, xattr_encode_keyword). */
export const gnuSpelling = (name: string): string => name.replaceAll("%", "%25").replaceAll("=", "%3D");

/** libarchive (archive_write_set_format_pax.c, url_encode). */
export const urlSpelling = (name: string): string =>
  name.replaceAll(/[^!-~]|[%=]/g, (one) => {
    const hex = one.charCodeAt(0).toString(16).toUpperCase();
    return `%${hex.padStart(2, "0")}`;
  });

/** What is no escape stays as it is, as in libarchive. */
export const urlName = (spelled: string): string =>
  spelled.replaceAll(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Whether GNU tar would read a name that is spelled as it stands as another one, or no reader as this one. */
export const needsSpelling = (name: string): boolean => /=|%(?:3D|25)/.test(name);
