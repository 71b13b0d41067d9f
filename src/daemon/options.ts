import type { BlobSearch } from "../blob/locate.ts";
import type { FailoverPolicy } from "../fuse/lost-requests.ts";
import type { LogTarget } from "../log/log.ts";
import type { Level } from "../log/log-line.ts";
import type { TRANSPORTS } from "../session/choose.ts";
import type { FileRecords } from "../session/file-records.ts";
import type { PrefetchOptions } from "../session/prefetching.ts";
import type { HashWords } from "../verity/hash-words.ts";
import type { MonitoringOptions } from "./monitoring.ts";

/** What the daemon is asked to do, by a command line or by another program of ours. */
export interface DaemonOptions extends LogTarget {
  /** The image to begin with; undefined: the management API will bring one. */
  readonly bootstrap: string | undefined;
  readonly mountpoint: string;
  /** What is mounted, as the user named it: shown as the mount's source; undefined: the path of the image. */
  readonly name?: string | undefined;
  /** Where that image is to be seen within the mount: `/` is all of it. */
  readonly virtualMountpoint: string;
  readonly places: BlobSearch;
  /** Directories of blobs that were named, for images that name none. */
  readonly blobDirs: readonly string[];
  readonly transport: (typeof TRANSPORTS)[number];
  readonly threads: number;
  readonly push: boolean;
  readonly lowLatency: boolean;
  readonly lenient: boolean;
  readonly strict: boolean;
  /** The hash tree that the first image, an exported disk, is held to; undefined: it is taken as it is. */
  readonly verity?: HashWords | undefined;
  readonly force: boolean;
  readonly mountOptions: readonly string[];
  /** Where the changes of a writable overlay above the image go; undefined: there is none. */
  readonly upper?: string | undefined;
  readonly logLevel: Level;
  readonly pidFile: string | undefined;
  /** The user that the daemon becomes once it has mounted, as it was written; undefined: it stays what it is. */
  readonly user?: string | undefined;
  /** Where the management API is served; undefined: nowhere. */
  readonly apiSocket?: string | undefined;
  /** What the API calls this daemon. */
  readonly id?: string | undefined;
  /** What the API can tell of single files. */
  readonly fileRecords: FileRecords;
  /** Files the process may have open; undefined leaves the limit. */
  readonly openFiles: number | undefined;
  /** Whether, and where, to tell of it over HTTP. */
  readonly monitoring?: MonitoringOptions | undefined;
  /** What is warmed of the first image; undefined: nothing. */
  readonly prefetch?: PrefetchOptions | undefined;
  /** Where first reads of it are written down; undefined: nowhere. */
  readonly trace?: string | undefined;
  /** Where what other processes must know of the session is kept; undefined: the default. */
  readonly stateDir?: string | undefined;
  /** A process stands by that has opened everything already. */
  readonly standby: boolean;
  /** What becomes of requests that were being answered by a process that died. */
  readonly failover: FailoverPolicy;
  /** Socket of the supervisor that keeps the session for another process. */
  readonly supervisor?: string | undefined;
  /** Nothing is mounted: the API will say what to go on with. */
  readonly upgrade: boolean;
  /** Said before anything else, at level warn. */
  readonly warnings: readonly string[];
}
