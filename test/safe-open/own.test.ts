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
import { openOwn } from "../../src/safe-open/own.ts";
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
  [
    "a stranger's file in a stranger's directory",
    0o755,
    (d) => {
      lchownSync(d, USER, USER);
      file(join(d, "log"), USER);
    },
    `DIR/log belongs to user ${USER}`,
    "",
  ],
  [
    "a stranger's file where a group makes files",
    0o775,
    (d) => file(join(d, "log"), USER),
    `DIR/log belongs to user ${USER}`,
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
  [
    "a stranger's fifo",
    STICKY,
    (d) => sh('mkfifo "$F"; chown "$U" "$F"', { F: join(d, "log"), U: `${USER}` }),
    // Without fs.protected_fifos it is one that nobody reads.
    readFileSync("/proc/sys/fs/protected_fifos", "latin1") === "0\n"
      ? "ENXIO"
      : `DIR/log belongs to user ${USER}`,
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

it("follows no stranger's link on the way to it", () => {
  const dir = scratchDir();
  mkdirSync(join(dir, "root"));
  link("root", join(dir, "theirs"), USER);
  expect(append(join(dir, "theirs"))).toBe(`DIR is a link that belongs to user ${USER}`);
  link("root", join(dir, "own"), 0);
  expect(append(join(dir, "own"))).toBe("");
});
