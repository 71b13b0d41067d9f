import { homedir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";

/**
 * A directory of the user's own, by the XDG base directory specification: what its variable says, else below the home. A
 * relative one is passed over, as it wants; the working directory is nobody's own.
 *
 * @param below the home, where the variable says nothing
 * @see https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function userDirectory(variable: string, below: string, env = process.env): string {
  const said = env[variable];
  return said !== undefined && isAbsolute(said) ? said : join(userHome(env), below);
}

/** Where all that can be made again is kept. */
export const cacheDirectory = (): string => join(userDirectory("XDG_CACHE_HOME", ".cache"), "nydusd-ts");

/** What goes away when the user has left; undefined where nothing says which, as a relative one does not. */
export function runtimeDirectory(env = process.env): string | undefined {
  const said = env["XDG_RUNTIME_DIR"];
  return said !== undefined && isAbsolute(said) ? said : undefined;
}

/** `HOME`, else what passwd says; a user that it does not know lives in /, as in containers (runc, login(1)). */
export function userHome(env = process.env): string {
  const said = env["HOME"];
  if (said !== undefined && isAbsolute(said)) return said;
  try {
    const home = said === undefined ? homedir() : userInfo().homedir;
    return isAbsolute(home) ? home : "/";
  } catch {
    return "/"; // ENOENT: no entry
  }
}
