import { expect, it } from "vitest";
import { fileNameOf } from "../../src/daemon/log-place.ts";
import { textOf } from "../../src/bytes/any-bytes.ts";

it.each([
  ["/", "-.log"],
  ["/mnt/app", "mnt-app.log"],
  ["/mnt-app", "mnt%2dapp.log"],
  ["/mnt/a b%", "mnt-a%20b%25.log"],
  ["/mnt/é", "mnt-%c3%a9.log"],
  // Bytes that are no UTF-8 are themselves, not one for all.
  [textOf(Buffer.from("/mnt/\xe9", "latin1")), "mnt-%e9.log"],
  [textOf(Buffer.from("/mnt/\xff", "latin1")), "mnt-%ff.log"],
  [`/${"d".repeat(150)}/${"e".repeat(150)}`, `${"d".repeat(49)}-${"e".repeat(150)}.log`],
])("the log of %j is %s", (mountpoint, want) => expect(fileNameOf(mountpoint)).toBe(want));
