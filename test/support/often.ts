/**
 * How many times, or for how many seconds, a test does what shows the more the longer it goes on.
 *
 * @param name environment variable that says otherwise
 * @param short in `npm test`, where it shows that the test works, and what fails soon
 * @param long in `npm run test:long`, which runs the files that import this one
 */
export const often = (name: string, short: number, long: number): number =>
  Number(process.env[name] ?? (process.env["NYDUSD_TS_LONG"] === undefined ? short : long));
