import { userInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { runtimeDirectory, userDirectory, userHome } from "../../src/bytes/user-directories.ts";

const home = userInfo().homedir;

describe("a directory of the user's own", () => {
  it.each<[NodeJS.ProcessEnv, string]>([
    [{ XDG_CACHE_HOME: "/c", HOME: "/h" }, "/c"],
    [{ HOME: "/h" }, "/h/.cache"],
    // The specification has relative ones, and so empty ones, passed over.
    [{ XDG_CACHE_HOME: "c", HOME: "/h" }, "/h/.cache"],
    [{ XDG_CACHE_HOME: "", HOME: "/h" }, "/h/.cache"],
    [{ XDG_CACHE_HOME: "./c", HOME: "h" }, `${home}/.cache`],
    [{ HOME: "" }, `${home}/.cache`],
    [{ HOME: "." }, `${home}/.cache`],
  ])("%j → %s", (env, want) => expect(userDirectory("XDG_CACHE_HOME", ".cache", env)).toBe(want));

  it("is never below the working directory", () => {
    for (const HOME of ["", ".", "home", "../home"]) expect(userHome({ HOME })).toBe(home);
  });

  it("is none where the runtime directory is no absolute path", () => {
    const of = (said: string | undefined) => runtimeDirectory({ XDG_RUNTIME_DIR: said });
    expect(["/run/user/1", "run", "", "./r", undefined].map(of)).toEqual([
      "/run/user/1",
      ...[undefined, undefined, undefined, undefined],
    ]);
  });
});
