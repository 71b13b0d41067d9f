import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { shell, workDir } from "../support/daemon.ts";

const KEEPER = fileURLToPath(new URL("../../src/handover/keeper.sh", import.meta.url));
const SHELLS = ["dash", "bash", "bash --posix"].filter(
  (each) => spawnSync("sh", ["-c", `command -v ${each.split(" ")[0]}`]).status === 0,
);

it("sh is among the shells that are tried", () => expect(SHELLS.length).toBeGreaterThan(1));

/** Files in $D say how far a program is: \`mark NAME\` makes one with its pid in it; \`await NAME\` and \`ended NAME\` wait for it, and for its end. */
const FLAGS = `mark() { echo $$ >"$D/.$1"; mv "$D/.$1" "$D/$1"; }
  await() { until [ -e "$D/$1" ]; do sleep 0.02; done; }
  ended() { await "$1"; while grep -qs '^State:.[^Z]' "/proc/$(cat "$D/$1")/status"; do sleep 0.02; done; }`;
/**
 * What a program that is kept can use. A keeper that sleeps again has heard what it was told; one that has buried a child,
 * too, has gone on to the next: \`buried NAME\` waits for that.
 */
const PRELUDE = `${FLAGS}
  asleep() { until grep -q '^State:.S' "/proc/$NYDUSD_TS_KEEPER/status"; do :; done; }
  tell() { kill -"$1" "$NYDUSD_TS_KEEPER"; asleep; }
  buried() { while [ -e "/proc/$(cat "$D/$1")" ]; do sleep 0.02; done; asleep; }; is() { [ "$NYDUSD_TS_ROLE" = "$1" ]; }
  echo "$NYDUSD_TS_ROLE $NYDUSD_TS_CRASHES $NYDUSD_TS_LAST"; `;

/** @param outside what is done with the keeper, $keeper, meanwhile */
const keep = (kind: string, program: string, outside = "", input = "", keeper = KEEPER) =>
  shell(
    `export D=$5; ${FLAGS}
    printf '%s' "$4" | (timeout 50 $1 "$2" sh -c "$3" x "it's" 'a "b"' '$c \\d' & keeper=$!; ${outside}
    status=0; wait $keeper || status=$?; echo "status $status")`,
    kind,
    keeper,
    PRELUDE + program,
    input,
    workDir(),
  );

describe.each(SHELLS)("%s", (kind) => {
  const cases: [name: string, program: string, want: string, outside?: string][] = [
    [
      "arguments are passed on as they are",
      'echo "[$1][$2][$3]"; exit 64',
      'first 0 \n[it\'s][a "b"][$c \\d]\nstatus 0\n',
    ],
    ["a program that never serves ends with its own status", "exit 3", "first 0 \nstatus 3\n"],
    ["so does one that is done", "tell USR1; exit 66", "first 0 \nstatus 2\n"],
    [
      "one that dies is followed by another",
      "tell USR1; [ $NYDUSD_TS_CRASHES = 2 ] && exit 64; kill -9 $$",
      "first 0 \nafter 1 137\nafter 2 137\nstatus 0\n",
    ],
    ["one that exits as well", "tell USR1; is after && exit 64; exit 1", "first 0 \nafter 1 1\nstatus 0\n"],
    [
      "one that hands over is followed by the one beside it",
      "if is next; then mark next; ended first; exit 65; fi; mark first; tell USR1; tell USR2; await next; exit 80",
      "first 0 \nnext 0 \nstatus 1\n",
    ],
    [
      "one that hands over may end after the one beside it",
      "if is next; then mark next; exit 66; fi; tell USR1; tell USR2; ended next; exit 80",
      "first 0 \nnext 0 \nstatus 2\n",
    ],
    [
      "one that dies is followed by the one beside it",
      "if is next; then mark next; buried first; exit 65; fi; mark first; tell USR1; tell USR2; await next; kill -9 $$",
      "first 0 \nnext 0 \nstatus 1\n",
    ],
    [
      "one that hands over to nobody is followed by another",
      "is after && exit 64; tell USR1; exit 80",
      "first 0 \nafter 0 \nstatus 0\n",
    ],
    [
      "the one beside it is ended when it is told to be",
      "is next && mark next && exec sleep 50; is after && exit 64; tell USR1; tell USR2; await next; tell ALRM; ended next; exit 80",
      "first 0 \nnext 0 \nafter 0 \nstatus 0\n",
    ],
    [
      "a second one beside it takes the place of the first",
      "if is next; then [ -e $D/one ] && mark two || mark one; exec sleep 50; fi; tell USR1; tell USR2; await one; tell USR2; await two; exit 64",
      "first 0 \nnext 0 \nnext 0 \nstatus 0\n",
    ],
    [
      "SIGTERM is passed on",
      "trap 'echo term; exit 64' TERM; tell USR1; mark ready; while :; do sleep 0.05; done",
      "first 0 \nterm\nstatus 0\n",
      "await ready; kill -TERM $(cat /proc/$keeper/task/$keeper/children)",
    ],
    [
      "SIGHUP is passed on",
      "trap 'echo hup; exit 64' HUP; tell USR1; mark ready; while :; do sleep 0.05; done",
      "first 0 \nhup\nstatus 0\n",
      "await ready; kill -HUP $(cat /proc/$keeper/task/$keeper/children)",
    ],
    [
      "SIGTERM that comes while one hands over is passed on to the next one",
      "if is next; then trap 'trap \"\" TERM; echo term; exit 64' TERM; mark ready; while :; do sleep 0.05; done; fi; trap '' TERM; tell USR1; tell USR2; await told; exit 80",
      "first 0 \nnext 0 \nterm\nstatus 0\n",
      "await ready; kill -TERM $(cat /proc/$keeper/task/$keeper/children); mark told",
    ],
    [
      "SIGHUP that comes when one has handed over is passed on to the next one",
      "if is next; then trap 'echo hup; exit 64' HUP; mark ready; while :; do sleep 0.05; done; fi; tell USR1; tell USR2; mark first; await told; exit 80",
      "first 0 \nnext 0 \nhup\nstatus 0\n",
      "await ready; await first; k=$(cat /proc/$keeper/task/$keeper/children); kill -STOP $k; mark told; ended first; kill -HUP $k; kill -CONT $k",
    ],
    [
      "one that dies of being stopped is followed by one that clears up",
      "is clear && exit 65; tell USR1; mark ready; exec sleep 50",
      "first 0 \nclear 1 143\nstatus 1\n",
      "await ready; kill -TERM $(cat /proc/$keeper/task/$keeper/children)",
    ],
    [
      "one that is stopped does not keep the second SIGTERM from ending it",
      "is clear && exit 65; tell USR1; mark ready; kill -STOP $$; exit 64",
      "first 0 \nclear 1 137\nstatus 1\n",
      "await ready; k=$(cat /proc/$keeper/task/$keeper/children); kill -TERM $k; sleep 0.3; kill -TERM $k",
    ],
    [
      "one that hears no signal is ended by the third",
      "is clear && exit 65; trap '' TERM; tell USR1; mark ready; while :; do sleep 0.05; done",
      "first 0 \nclear 1 137\nstatus 1\n",
      "await ready; k=$(cat /proc/$keeper/task/$keeper/children); for i in 1 2 3; do kill -TERM $k; sleep 0.3; done",
    ],
  ];
  it.each(cases)("%s", async (_, program, want, outside) => {
    const { stdout, stderr } = await keep(kind, program, outside);
    expect([stderr, stdout]).toEqual(["", want]);
  });

  it("leaves a process alone that has the number of one that has ended", async () => {
    const { stdout } = await shell(
      'export D=$3; exec unshare -p -f --mount-proc sh -c \'$1 "$2" sh -c "$3" & keeper=$!; until [ -s "$D/next" ]; do sleep 0.02; done; next=$(cat "$D/next"); while kill -0 $next 2>/dev/null; do sleep 0.02; done; echo $((next - 1)) >/proc/sys/kernel/ns_last_pid; sleep 60 & victim=$!; echo $((victim - next)); touch "$D/again"; wait $keeper; kill -0 $victim && echo alive; kill -9 $victim\' x "$1" "$2" "$4"',
      ...[kind, KEEPER, workDir()],
      'case $NYDUSD_TS_ROLE in first) kill -USR1 $NYDUSD_TS_KEEPER; sleep 0.2; kill -USR2 $NYDUSD_TS_KEEPER; until [ -e "$D/again" ]; do sleep 0.02; done; kill -USR2 $NYDUSD_TS_KEEPER; sleep 0.5; exit 64 ;; next) [ -e "$D/next" ] || echo $$ >"$D/next"; exit 1 ;; esac',
    );
    expect(stdout).toBe("0\nalive\n");
  });

  it.each(["evil; touch evil", "first", "$(touch evil)", "next\ntouch evil", "'; touch evil; '"])(
    "runs only what it knows, whatever its environment says: %j",
    async (role) => {
      const { stdout } = await shell(
        'cd "$4"; export NYDUSD_TS_DEVICE=$3 NYDUSD_TS_ROLE="$5"; $1 "$2" sh -c \'echo "$NYDUSD_TS_ROLE $NYDUSD_TS_DEVICE" | tr -d 0-9; exit 64\'; ls',
        ...[kind, KEEPER, "9; touch evil", workDir(), role],
      );
      expect(stdout).toBe("first \n");
    },
  );

  it("holds the fifo of the session once its child serves", async () => {
    const program = `start=$(cut -d' ' -f22 /proc/$NYDUSD_TS_KEEPER/stat); fifo=$D/$NYDUSD_TS_KEEPER-$start.alive
      held() { until timeout 2 dd if=/dev/null of="$1" oflag=nonblock 2>/dev/null; do sleep 0.02; done; echo held; }
      is first && { mkfifo "$fifo"; exec 4<"$D"; tell USR1; held "$fifo"; exec 4<&-; kill -9 $$; }
      held "$fifo"; exit 64`;
    const { stdout } = await keep(kind, program, "", "");
    expect(stdout).toBe("first 0 \nheld\nafter 1 137\nheld\nstatus 0\n");
  });

  it.each([
    [
      "that its child serves",
      "exec 4<$D; mkfifo $D/$NYDUSD_TS_KEEPER-$(cut -d' ' -f22 /proc/$NYDUSD_TS_KEEPER/stat).alive; kill -USR1 $NYDUSD_TS_KEEPER; sleep 1; dd if=/dev/null of=$(ls $D/*.alive) oflag=nonblock 2>/dev/null && exit 64; exit 66",
      "first 0 \nstatus 0\n",
    ],
    ["to stop", "kill -TERM $NYDUSD_TS_KEEPER; sleep 1; exit 65", "first 0 \nstatus 143\n"],
  ])("hears %s though it has not noted its child's pid", async (_, program, want) => {
    // A busy machine, made sure of: the signal waits for the end of `sleep`.
    const slow = join(workDir(), "keeper.sh");
    writeFileSync(slow, readFileSync(KEEPER, "utf8").replace("    child=$!\n", "    sleep 0.5; child=$!\n"));
    expect((await keep(kind, program, "", "", slow)).stdout).toBe(want);
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
  const program = "is refuse && exit 65; is first && tell USR1; kill -9 $$";
  const { stdout } = await keep("sh", program);
  const roles = stdout.split("\n").map((line) => line.split(" ")[0]);
  expect(roles).toEqual(["first", ...new Array(11).fill("after"), "refuse", "status", ""]);
  expect(stdout).toContain("status 1\n");
});
