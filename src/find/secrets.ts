import { anyGlob, type Matcher } from "./glob.ts";

/** By name alone; nothing is read. Of keys, and of programs that keep passwords and tokens where they are told once. */
const NAMES = [
  ...["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.kdbx"],
  ...[".npmrc", ".pypirc", ".netrc", ".git-credentials", ".env"],
];
const PATHS = ["*/.aws/credentials", "*/.docker/config.json"];

/** Whether a path is one that secrets are kept at. */
export const isSecret: Matcher = anyGlob([...NAMES.map((name) => `*/${name}`), ...PATHS]);
