import { CommanderError } from "commander";
import { codeOf, messageOf } from "../src/bytes/errors.ts";
import { outliveTerminal } from "../src/proc/terminal.ts";
import { errorWord } from "./help.ts";
import { complain } from "./say.ts";

/**
 * Runs a command line to its end, and sets the exit status: 2 for one that cannot be.
 *
 * @param parse lets commander have it
 * @param statusOf what was thrown otherwise, and is told in one line
 */
export async function runProgram(
  parse: () => Promise<unknown> | unknown,
  statusOf: (error: unknown) => number,
): Promise<void> {
  outliveTerminal();
  // Who reads what is said may go away, too.
  process.stderr.on("error", () => {});
  try {
    await parse();
  } catch (error) {
    // commander has said what is wrong with a command line, and prints help and version by throwing, too.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      complain(errorWord("Error:"), messageOf(error));
      process.exitCode = statusOf(error);
    }
  }
}

/**
 * Ends the program when standard output takes no more, and says why; of a reader that went away nothing is said, it has seen
 * enough: that is what ends `ls | head`.
 *
 * @param statusOf the exit status
 */
export function endWithOutput(statusOf: (isReaderGone: boolean) => number): void {
  process.stdout.on("error", (error) => {
    const isReaderGone = codeOf(error) === "EPIPE";
    if (!isReaderGone) complain(errorWord("Error:"), `standard output: ${messageOf(error)}`);
    process.exit(statusOf(isReaderGone));
  });
}
