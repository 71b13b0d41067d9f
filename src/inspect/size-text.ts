const UNITS = ["", "K", "M", "G", "T", "P"];

/** How bytes are written. */
export type SizeText = (bytes: number) => string;

/** Bytes as `ls -h` and `du -h` write them: of 1024, rounded up, one digit behind the point below 10. */
export function sizeText(bytes: number): string {
  let [n, unit] = [bytes, 0];
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
    // 1023.5K is 1.0M: it is rounded before it is known how many digits it has.
    if (Math.ceil(n) === 1024) n = 1024;
  }
  if (unit === 0) return String(n);
  const tenths = Math.ceil(n * 10) / 10;
  return `${tenths < 10 ? tenths.toFixed(1) : Math.ceil(n)}${UNITS[unit]}`;
}
