import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { shell } from "../support/daemon.ts";

const KEEPER = fileURLToPath(new URL("../../src/handover/keeper.sh", import.meta.url));
const SHELLS = ["dash", "bash", "bash --posix"].filter(
  (each) => spawnSync("sh", ["-c", `command -v ${each.split(" ")[0]}`]).status === 0,
);

it("sh is among the shells that are tried", () => expect(SHELLS.length).toBeGreaterThan(1));

/** What a program that is kept can use. */
const PRELUDE = `tell() { kill -"$1" "$NYDUSD_TS_KEEPER"; }; is() { [ "$NYDUSD_TS_ROLE" = "$1" ]; }
  echo "$NYDUSD_TS_ROLE $NYDUSD_TS_CRASHES $NYDUSD_TS_LAST"; `;

/** @param outside what is done with the keeper, $keeper, meanwhile */
const keep = (kind: string, program: string, outside = "", input = "") =>
  shell(
    `printf '%s' "$4" | (timeout 50 $1 "$2" sh -c "$3" x "it's" 'a "b"' '$c \\d' & keeper=$!; ${outside}
    status=0; wait $keeper || status=$?; echo "status $status")`,
    kind,
    KEEPER,
    PRELUDE + program,
    input,
  );

describe.each(SHELLS)("%s", (kind) => {
  const cases: [name: string, program: string, want: string, outside?: string][] = [
    [
      "arguments are passed on as they are",
      'echo "[$1][$2][$3]"; exit 64',
      'first 0 \n[it\'s][a "b"][$c \\d]\nstatus 0\n',
    ],
    ["a program that never serves ends with its own status", "exit 3", "first 0 \nstatus 3\n"],
    ["so does one that is done", "tell USR1; sleep 0.1; exit 66", "first 0 \nstatus 2\n"],
    [
      "one that dies is followed by another",
      "tell USR1; sleep 0.1; [ $NYDUSD_TS_CRASHES = 2 ] && exit 64; kill -9 $$",
      "first 0 \nafter 1 137\nafter 2 137\nstatus 0\n",
    ],
    [
      "one that exits as well",
      "tell USR1; sleep 0.1; is after && exit 64; exit 1",
      "first 0 \nafter 1 1\nstatus 0\n",
    ],
    [
      "one that hands over is followed by the one beside it",
      "if is next; then sleep 0.5; exit 65; fi; tell USR1; tell USR2; sleep 0.2; exit 80",
      "first 0 \nnext 0 \nstatus 1\n",
    ],
    [
      "one that hands over may end after the one beside it",
      "if is next; then sleep 0.2; exit 66; fi; tell USR1; tell USR2; sleep 0.8; exit 80",
      "first 0 \nnext 0 \nstatus 2\n",
    ],
    [
      "one that dies is followed by the one beside it",
      "if is next; then sleep 0.5; exit 65; fi; tell USR1; tell USR2; sleep 0.2; kill -9 $$",
      "first 0 \nnext 0 \nstatus 1\n",
    ],
    [
      "one that hands over to nobody is followed by another",
      "is after && exit 64; tell USR1; sleep 0.1; exit 80",
      "first 0 \nafter 0 \nstatus 0\n",
    ],
    [
      "the one beside it is ended when it is told to be",
      "is next && exec sleep 20; is after && exit 64; tell USR1; tell USR2; sleep 0.6; tell ALRM; sleep 0.6; exit 80",
      "first 0 \nnext 0 \nafter 0 \nstatus 0\n",
    ],
    [
      "a second one beside it takes the place of the first",
      "is next && exec sleep 2; tell USR1; tell USR2; sleep 0.4; tell USR2; sleep 0.8; exit 64",
      "first 0 \nnext 0 \nnext 0 \nstatus 0\n",
    ],
    [
      "SIGTERM is passed on",
      "trap 'echo term; exit 64' TERM; tell USR1; while :; do sleep 0.05; done",
      "first 0 \nterm\nstatus 0\n",
      "sleep 0.4; kill -TERM $(cat /proc/$keeper/task/$keeper/children)",
    ],
    [
      "SIGHUP is passed on",
      "trap 'echo hup; exit 64' HUP; tell USR1; while :; do sleep 0.05; done",
      "first 0 \nhup\nstatus 0\n",
      "sleep 0.4; kill -HUP $(cat /proc/$keeper/task/$keeper/children)",
    ],
    [
      "SIGTERM that comes while one hands over is passed on to the next one",
      "if is next; then trap 'echo term; exit 64' TERM; while :; do sleep 0.05; done; fi; trap '' TERM; tell USR1; tell USR2; sleep 1; exit 80",
      "first 0 \nnext 0 \nterm\nstatus 0\n",
      "sleep 0.6; kill -TERM $(cat /proc/$keeper/task/$keeper/children)",
    ],
    [
      "one that dies of being stopped is followed by one that clears up",
      "is clear && exit 65; tell USR1; exec sleep 20",
      "first 0 \nclear 1 143\nstatus 1\n",
      "sleep 0.4; kill -TERM $(cat /proc/$keeper/task/$keeper/children)",
    ],
  ];
  it.each(cases)("%s", async (_, program, want, outside) => {
    const { stdout, stderr } = await keep(kind, program, outside);
    expect([stderr, stdout]).toEqual(["", want]);
  });

  it("a program reads what its keeper is given", async () => {
    const { stdout } = await keep(kind, "cat; exit 64", "", "given\n");
    expect(stdout).toBe("first 0 \ngiven\nstatus 0\n");
  });

  it("reads no options: a program may be given any", async () => {
    const { stdout } = await shell(
      '$1 "$2" sh -c \'echo "$NYDUSD_TS_ROLE $*"; exit 71\' x --no-keeper --user=u || echo "status $?"',
      kind,
      KEEPER,
    );
    expect(stdout).toBe("first --no-keeper --user=u\nstatus 7\n");
  });
});

it("deaths in a row: the keeper starts another process, and at last one that answers EIO", async () => {
  const program = "is refuse && exit 65; is first && tell USR1 && sleep 0.1; kill -9 $$";
  const { stdout } = await keep("sh", program);
  const roles = stdout.split("\n").map((line) => line.split(" ")[0]);
  expect(roles).toEqual(["first", ...new Array(11).fill("after"), "refuse", "status", ""]);
  expect(stdout).toContain("status 1\n");
});
