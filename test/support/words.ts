/**
 * A command line's words: what stands in the template is split at blanks, what is put into it never is, because the path of
 * a clone or a temporary directory may have some.
 */
export function words({ raw }: TemplateStringsArray, ...values: readonly unknown[]): string[] {
  const all = [""];
  for (const [i, text] of raw.entries()) {
    const [first = "", ...rest] = text.split(/ +/);
    all.push(`${all.pop()}${first}`, ...rest);
    if (i < values.length) all.push(`${all.pop()}${values[i]}`);
  }
  return all.filter((word) => word !== "");
}
