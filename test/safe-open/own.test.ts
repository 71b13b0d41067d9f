import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { codeOf, messageOf } from "../../src/bytes/errors.ts";
import { mustBeOwnDirectory, openOwn } from "../../src/safe-open/own.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { USER } from "../support/user.ts";

const { O_WRONLY, O_APPEND, O_CREAT } = constants;
const STICKY = 0o1777;

/** Appends a word to `DIR/log`. @returns what kept it from that, "" when nothing did */
function append(dir: string): string {
  try {
    const fd = openOwn(join(dir, "log"), O_WRONLY | O_APPEND | O_CREAT, 0o600);
    writeSync(fd, "word");
    closeSync(fd);
    return "";
  } catch (error) {
    return codeOf(error) || messageOf(error).replaceAll(dir, "DIR");
  }
}

const link = (to: string, path: string, uid: number) => {
  symlinkSync(to, path);
  lchownSync(path, uid, uid);
};
const file = (path: string, uid: number) => {
  writeFileSync(path, "");
  lchownSync(path, uid, uid);
};

/** What lies in the log's place, in a directory of that mode; what is said, and where the word is then. */
const rows: [what: string, mode: number, place: (dir: string) => void, said: string, written: string][] = [
  ["nothing", STICKY, () => {}, "", "log"],
  ["a file of one's own", STICKY, (d) => file(join(d, "log"), 0), "", "log"],
  ["a stranger's file", STICKY, (d) => file(join(d, "log"), USER), `DIR/log belongs to user ${USER}`, ""],
  ["a stranger's file where only root makes files", 0o755, (d) => file(join(d, "log"), USER), "", "log"],
  [
    "a second name of a file",
    STICKY,
    (d) => linkSync(join(d, "victim"), join(d, "log")),
    "DIR/log has 2 names",
    "",
  ],
  ["a link of one's own", STICKY, (d) => link("victim", join(d, "log"), 0), "", "victim"],
  ["a link of one's own to what is not there yet", STICKY, (d) => link("new", join(d, "log"), 0), "", "new"],
  [
    "a stranger's link",
    STICKY,
    (d) => link("victim", join(d, "log"), USER),
    `DIR/log is a link that belongs to user ${USER}`,
    "",
  ],
  [
    "a stranger's link where only root makes files",
    0o755,
    (d) => link("victim", join(d, "log"), USER),
    `DIR/log is a link that belongs to user ${USER}`,
    "",
  ],
  [
    "a stranger's link to what is not there",
    STICKY,
    (d) => link("new", join(d, "log"), USER),
    `DIR/log is a link that belongs to user ${USER}`,
    "",
  ],
  [
    "a link of one's own to a stranger's",
    STICKY,
    (d) => {
      link("victim", join(d, "next"), USER);
      link("next", join(d, "log"), 0);
    },
    `DIR/next is a link that belongs to user ${USER}`,
    "",
  ],
  ["a link to itself", STICKY, (d) => link("log", join(d, "log"), 0), "more than 40 links", ""],
  ["a fifo that nobody reads", STICKY, (d) => sh('mkfifo "$F"', { F: join(d, "log") }), "ENXIO", ""],
  [
    "a socket",
    STICKY,
    (d) =>
      sh(
        `perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die' "$F"`,
        { F: join(d, "log") },
      ),
    "ENXIO",
    "",
  ],
  ["a directory", STICKY, (d) => mkdirSync(join(d, "log")), "EISDIR", ""],
];

describe("a file to write to, in whose place lies", () => {
  it.each(rows)("%s (mode %o)", (_, mode, place, said, written) => {
    const dir = scratchDir();
    chmodSync(dir, mode);
    file(join(dir, "victim"), 0);
    place(dir);
    expect(append(dir)).toBe(said);
    const names = [written, "victim", "new"].filter((name) => name !== "" && existsSync(join(dir, name)));
    const found = [...new Set(names)].filter((name) => readFileSync(join(dir, name), "utf8") === "word");
    expect(found).toEqual(written === "" ? [] : [written]);
  });
});

it("a directory whose contents are believed belongs to this user or root, who alone write to it", () => {
  const dir = scratchDir();
  const wrong = (name: string) => {
    try {
      mustBeOwnDirectory(join(dir, name));
      return "";
    } catch (error) {
      return messageOf(error);
    }
  };
  for (const [name, mode, uid] of [
    ["own", 0o700, 0],
    ["theirs", 0o700, USER],
    ["all", 0o1777, 0],
  ] as const) {
    mkdirSync(join(dir, name));
    chmodSync(join(dir, name), mode);
    lchownSync(join(dir, name), uid, uid);
  }
  symlinkSync("own", join(dir, "link"));
  file(join(dir, "file"), 0);
  expect(["own", "theirs", "all", "link", "file"].map(wrong)).toEqual([
    "",
    `belongs to user ${USER}`,
    "every user may write to it",
    "not a directory",
    "not a directory",
  ]);
});
