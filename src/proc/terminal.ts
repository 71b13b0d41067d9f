import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";

/**
 * Lets a process end whose terminal has gone away: Node puts the settings of each terminal back that it began with, and aborts
 * when it cannot (nodejs/node#58200). What is another file by then it leaves alone. Not only where it has gone already: it
 * may go at the last moment.
 */
export function outliveTerminal(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  if (terminals.length === 0) return;
  process.on("exit", () => {
    for (const fd of terminals) {
      closeSync(fd);
      openSync("/dev/null", "r+"); // gets the lowest number, which is that one
    }
  });
}
