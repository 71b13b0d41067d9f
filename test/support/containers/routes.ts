import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Containerd, certificateOf } from "./containerd.ts";
import { archiveOf, type OciImage } from "./oci-image.ts";
import { startRegistry } from "./registry.ts";

/** A way by which containerd comes to an image; which differ unpacks it depends on that. */
export interface Route {
  readonly name: string;
  /** Gets it for a snapshotter. @returns its name there */
  get(containerd: Containerd, image: OciImage, snapshotter: string): Promise<string>;
}

/** As containerd calls this machine. */
export const PLATFORM = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;

const pull = (isLocal: boolean): Route => ({
  name: `pulled by ${isLocal ? "the client" : "the transfer service"}`,
  get: async (containerd, image, snapshotter) => {
    // The transfer service of 1.7 knows no registry without TLS, and unpacks only for a platform that is named.
    const registry = await startRegistry(certificateOf(containerd.dir));
    const name = registry.add("test/image", image);
    const words = [`--local=${isLocal}`, "--platform", PLATFORM, "--snapshotter", snapshotter];
    await containerd.ask("image", "pull", ...words, name);
    return name;
  },
});

const load = (isLocal: boolean): Route => ({
  name: `imported by ${isLocal ? "the client" : "the transfer service"}`,
  get: async (containerd, image, snapshotter) => {
    // Of its own: what an image of the same name had before may be collected while the new one is unpacked upon it.
    const name = `test.invalid/image:${image.manifest.digest.slice("sha256:".length)}`;
    const archive = join(containerd.dir, "image.tar");
    writeFileSync(archive, archiveOf(image, name));
    await containerd.ask("image", "import", `--local=${isLocal}`, "--snapshotter", snapshotter, archive);
    return name;
  },
});

/** Finds a differ by the list of containerd's diff service. */
export const LOCAL_PULL = pull(true);
/** Finds it by what the transfer service is configured to unpack with. */
export const TRANSFER_IMPORT = load(false);
export const LOCAL_IMPORT = load(true);

export const ROUTES: readonly Route[] = [LOCAL_PULL, pull(false), LOCAL_IMPORT, TRANSFER_IMPORT];
