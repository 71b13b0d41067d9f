import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { showName } from "../bytes/name.ts";
import { NO_NAMESPACE, NO_REST, xattrIndexOf } from "../erofs/xattr.ts";
import type { NamedValue } from "../erofs/xattr-area.ts";
import type { Fail } from "./archive-paths.ts";
import { MAX_ALL_XATTRS, MAX_XATTRS } from "./budget.ts";
import { aclBytes, aclProblem, isMinimal, readAcl, withMode } from "./posix-acl.ts";
import type { WhiteoutSpec } from "./whiteout.ts";

/** What becomes of an attribute: kept with this value, left out for a reason, refused, or nothing that could be seen. */
type Verdict =
  | { readonly value: Uint8Array }
  | { readonly leftOut: string }
  | { readonly problem: string }
  | undefined;

/** How attributes of a layer are taken. */
export interface XattrRules {
  readonly whiteouts: WhiteoutSpec;
  /** Refuse what would be left out. */
  readonly strictXattrs?: boolean | undefined;
  readonly warn: (message: string) => void;
}

/** Names of attributes that were left out: as many are told of one by one. */
const MAX_TOLD = 16;

/**
 * Which attributes of a layer an image keeps: those that a file system of Linux would, with the values that it would show, so
 * that the kernel's EROFS and the FUSE daemon show the same to every user. What no file system can keep is left out and told of
 * once a name; what unpacking fails for is refused (0022).
 */
export class KeptXattrs {
  /** How many were left out. */
  leftOut = 0;
  /** How many were looked at. */
  seen = 0;
  private readonly rules: XattrRules;
  /** By name and reason. */
  private readonly counts = new Map<string, number>();
  private others = 0;

  constructor(rules: XattrRules) {
    this.rules = rules;
  }

  /**
   * @param mode type and permissions of what has the attributes
   * @param fail throws, given what is wrong
   */
  of(xattrs: readonly NamedValue[], mode: number, fail: Fail): readonly NamedValue[] {
    if (xattrs.length === 0) return xattrs;
    if (xattrs.length > MAX_XATTRS) fail(`${xattrs.length} extended attributes, want at most ${MAX_XATTRS}`);
    this.seen += xattrs.length;
    if (this.seen > MAX_ALL_XATTRS)
      fail(`with it all entries have ${this.seen} extended attributes, want at most ${MAX_ALL_XATTRS}`);
    const kept: NamedValue[] = [];
    for (const { name, value } of xattrs) {
      const verdict = judge(name, value, mode, this.rules.whiteouts);
      if (verdict === undefined) continue;
      if ("value" in verdict) kept.push({ name, value: verdict.value });
      else if ("problem" in verdict) fail(`${shown(name)}: ${verdict.problem}`);
      else if (this.rules.strictXattrs) fail(`${shown(name)}: ${verdict.leftOut}`);
      else this.leaveOut(name, verdict.leftOut);
    }
    return kept;
  }

  /** Warns of what was left out. */
  report(): void {
    const { warn } = this.rules;
    for (const [what, count] of this.counts) {
      const at = what.lastIndexOf(": ");
      const times = count === 1 ? "once" : `${count} times`;
      warn(`${what.slice(0, at)} was left out ${times}: ${what.slice(at + 2)}`);
    }
    if (this.others > 0) warn(`extended attributes of other names were left out ${this.others} times`);
  }

  private leaveOut(name: Uint8Array, why: string): void {
    this.leftOut++;
    const what = `${shown(name)}: ${why}`;
    const count = this.counts.get(what);
    if (count !== undefined) this.counts.set(what, count + 1);
    else if (this.counts.size < MAX_TOLD) this.counts.set(what, 1);
    else this.others++;
  }
}

/** A foreign name may be as long as a pax header. */
const MAX_SHOWN = 255;
const shown = (name: Uint8Array): string =>
  `extended attribute "${showName(name.subarray(0, MAX_SHOWN))}${name.length > MAX_SHOWN ? "…" : ""}"`;

function judge(name: Uint8Array, value: Uint8Array, mode: number, whiteouts: WhiteoutSpec): Verdict {
  const text = Buffer.from(name).toString("latin1");
  // containerd and umoci pass it over, GNU tar reads it with --acls only: what is unpacked has no such ACL.
  if (text.startsWith("SCHILY.acl."))
    return { leftOut: "an ACL as text, which unpacking an image does not set" };
  const index = xattrIndexOf(name, 0, name.length);
  if (index === NO_NAMESPACE) return { leftOut: "EROFS has no such namespace" };
  if (index === NO_REST) return { leftOut: "a namespace, and no name in it" };
  const type = mode & S_IFMT;
  // An overlay obeys the latter with the option userxattr, which mounts in user namespaces have.
  if (/^(trusted|user)\.overlay\./.test(text))
    return whiteouts === "overlayfs" ? { value } : { leftOut: "an overlay above would obey it" };
  if (text.startsWith("user.") && type !== S_IFREG && type !== S_IFDIR)
    return { leftOut: "only files and directories have such" };
  if (text === "system.posix_acl_access") return access(value, mode);
  if (text === "system.posix_acl_default") return inherited(value, mode);
  if (text === "security.capability" && !isCapability(value)) return { problem: "no capabilities of a file" };
  return { value };
}

const NO_ACL: Verdict = { leftOut: "symlinks have no ACL" };
const UNKNOWN_ACL: Verdict = { leftOut: "an ACL of a version that Linux does not know" };

function access(value: Uint8Array, mode: number): Verdict {
  const acl = readAcl(value);
  if (acl === "unknown") return UNKNOWN_ACL;
  if ("problem" in acl) return acl;
  if ((mode & S_IFMT) === S_IFLNK) return NO_ACL;
  return aclProblem(acl) ?? (isMinimal(acl) ? undefined : { value: aclBytes(withMode(acl, mode)) });
}

function inherited(value: Uint8Array, mode: number): Verdict {
  const acl = readAcl(value);
  if (acl === "unknown") return UNKNOWN_ACL;
  if ("problem" in acl) return acl;
  const type = mode & S_IFMT;
  if (type === S_IFLNK) return NO_ACL;
  if (acl.length === 0) return undefined;
  if (type !== S_IFDIR) return { problem: "only directories have a default ACL" };
  return aclProblem(acl) ?? { value: aclBytes(acl) };
}

/** `struct vfs_cap_data` of revision 2 or 3, as security/commoncap.c takes it; empty, it says that there are none. */
function isCapability(value: Uint8Array): boolean {
  if (value.length === 0) return true;
  if (value.length !== 20 && value.length !== 24) return false;
  const v = new DataView(value.buffer, value.byteOffset, value.length);
  const revision = (v.getUint32(0, true) & ~1) >>> 0;
  if (value.length === 20) return revision === 0x0200_0000;
  return revision === 0x0300_0000 && v.getUint32(20, true) !== 0xffff_ffff;
}
