import { type CheckContext, fail } from "./check.ts";
import * as xattr from "./xattr.ts";

/**
 * Checks the xattr area `[body, body + length)` of an inode and the shared entries it names.
 *
 * @throws FormatError if an entry is not inside its area, or makes no name
 */
export function checkXattrs(ctx: CheckContext, body: number, length: number): void {
  if (length === xattr.XATTR_HEADER_SIZE) fail(ctx, body, "xattr area is 12 bytes: a header and no entry");
  const v = ctx.meta.view;
  const end = body + length;
  const shared = xattr.xattrShared(v, body);
  let at = xattr.inlineXattrAt(v, body);
  if (at > end) fail(ctx, body, `${shared} shared xattrs do not fit in an area of ${length} bytes`);
  for (let i = 0; i < shared; i++) {
    const entry = xattr.sharedXattrAt(v, body, i, ctx.sb.xattrAt);
    if (entry + xattr.XATTR_ENTRY_SIZE > ctx.meta.size)
      fail(ctx, body, `shared xattr ${xattr.sharedXattrId(v, body, i)} is outside the image`);
    ctx.meta.need(entry, xattr.XATTR_ENTRY_SIZE);
    ctx.meta.need(
      entry,
      xattr.XATTR_ENTRY_SIZE + xattr.xattrNameLen(v, entry) + xattr.xattrValueSize(v, entry),
    );
    note(ctx, entry);
  }
  while (at < end) {
    if (at + xattr.XATTR_ENTRY_SIZE > end || at + xattr.xattrEntryBytes(v, at) > end)
      fail(ctx, at, `xattr entry does not end inside its area, at 0x${end.toString(16)}`);
    note(ctx, at);
    at += xattr.xattrEntryBytes(v, at);
  }
}

function note(ctx: CheckContext, entry: number): void {
  ctx.hasXattrs = true;
  const { view, bytes } = ctx.meta;
  const name = entry + xattr.XATTR_ENTRY_SIZE;
  const end = name + xattr.xattrNameLen(view, entry);
  // A list of names is told apart by its NULs.
  for (let i = name; i < end; i++) if (bytes[i] === 0) fail(ctx, i, "xattr name holds a NUL");
  const index = xattr.xattrNameIndex(view, entry);
  if (index === xattr.INDEX_ACL_ACCESS || index === xattr.INDEX_ACL_DEFAULT) ctx.hasAcls = true;
}
