import type { Stats } from "node:fs";

const WRITE = { group: 0o020, others: 0o002 } as const;

/** Root and this user: what they have put somewhere is what was meant to be there. */
export const isTrusted = (uid: number): boolean => uid === 0 || uid === process.geteuid?.();

/**
 * Who else may change something, in words; undefined: nobody but root and this user. An ACL that lets others write shows in
 * the permissions of the group, which are its mask.
 *
 * @see https://man7.org/linux/man-pages/man5/acl.5.html (correspondence between ACL entries and file permission bits)
 */
export function strangerOf({ uid, gid, mode }: Pick<Stats, "uid" | "gid" | "mode">): string | undefined {
  if (!isTrusted(uid)) return `belongs to user ${uid}`;
  if ((mode & WRITE.others) !== 0) return "every user may write to it";
  if ((mode & WRITE.group) !== 0 && !isPrivateGroup(gid)) return `group ${gid}, or an ACL, may write to it`;
  return undefined;
}

/** Of a user whose files all have a group that is his alone, and a umask of 002: gid is uid, as pam_umask has it. */
function isPrivateGroup(gid: number): boolean {
  const uid = process.geteuid?.();
  return uid !== 0 && gid === uid && gid === process.getegid?.();
}
