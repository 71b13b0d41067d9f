/**
 * nydusd's words for what went wrong, which its clients show and some compare, and what they mean to people. What is told by
 * more than its words says so itself: see management.ts.
 */
const MEANINGS: readonly (readonly [said: RegExp, meaning: string])[] = [
  [/^NoRoute$/, "the API has no such path"],
  [/^BadRequest$/, "not what this path takes: another method, or a body that is missing or too much"],
  [/^QueryString\(.*mountpoint/, "the query names no mountpoint"],
  [/^ResponsePayloadType$/, "no such log level: want error, warn, info, debug, trace or off"],
  [/^UnexpectedEvent\("Start"\)$/, "only a daemon that waits to serve can be started"],
  [/^UnexpectedEvent\("Exit"\)$/, "the daemon has ended its service already, or mounts nothing yet"],
  [/^UnexpectedEvent\("Takeover"\)$/, "only a daemon started with --upgrade takes a session over"],
  [/^NotReady$/, "the daemon does not serve yet, or not any more"],
  [/^Unsupported$/, "this daemon cannot do that"],
  [/^NoCounter$/, "no image of that id, or no id where there are several images"],
  [/^object or filesystem already exists$/, "an image is mounted there already: remount replaces it"],
  [/^object or filesystem doesn't exist$/, "no image is mounted there"],
];

/** `Mount(MountFilesystem(Other("why")))` is `MountFilesystem(Other("why"))` in an operation's name. */
const NESTED = /^\w+\((.*)\)$/s;
/** `Error("why", line: 1, column: 2)` and `"why"`, as Rust shows them. */
const QUOTED = /^"((?:[^"\\]|\\.)*)"(?:, line: \d+, column: \d+)?$/s;

/** @param said a message of nydusd's API @returns one line for people; what is not known stays as it is */
export function explain(said: string): string {
  const meaning = MEANINGS.find(([pattern]) => pattern.test(said))?.[1];
  if (meaning !== undefined) return meaning;
  const [, quoted] = QUOTED.exec(said) ?? [];
  if (quoted !== undefined) return explain(unescaped(quoted));
  const [, inner] = NESTED.exec(said) ?? [];
  return inner === undefined ? said : explain(inner);
}

/** What Rust and JSON escape alike. */
const unescaped = (text: string): string => text.replaceAll(/\\(["'\\])/g, "$1").replaceAll(/\\[nrt]/g, " ");
