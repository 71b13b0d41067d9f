/** Longest that every kernel shows as the source of a mount of its own, bytes. */
const MOST = 255;

/**
 * What is mounted, as the user named it: `base.tar:app.tar`, `saved.tar:app:1.0` with `--ref app:1.0`.
 *
 * @param paths as they were given
 */
export function shownName(paths: readonly string[], ref: string | undefined): string {
  const name = [...paths, ...(ref === undefined ? [] : [ref])].join(":");
  if (Buffer.byteLength(name) <= MOST) return name;
  const short = `${paths[0]} and ${paths.length - 1} more`;
  return paths.length > 1 && Buffer.byteLength(short) <= MOST ? short : name;
}
