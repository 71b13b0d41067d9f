import { syncBuiltinESMExports } from "node:module";
import { openFilesToBytes } from "./files.ts";

/** As program.ts, for threads that open files by their paths. */
openFilesToBytes();
syncBuiltinESMExports();
