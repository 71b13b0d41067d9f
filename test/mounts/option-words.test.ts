import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addMountOptions, SOURCE_OPTIONS } from "../../bin/mount-options.ts";
import { takeWords } from "../../bin/option-words.ts";
import { joinOptions, splitOptions } from "../../src/mounts/options.ts";
import { kindOf, mustKnow, splitWords } from "../../src/mounts/option-words.ts";

const command = () =>
  addMountOptions(new Command("mount").argument("[words...]"), SOURCE_OPTIONS).parse([], { from: "user" });

/** What is left of a list, and which options it has set. */
function taken(list: string, isFromMount8 = false) {
  const parsed = command();
  const before = { ...parsed.opts() };
  const { words, isRemount } = takeWords(parsed, [list], isFromMount8);
  const set = Object.entries(parsed.opts()).filter(([key, value]) => before[key] !== value);
  return { words: words.join(), ...(isRemount ? { isRemount } : {}), ...Object.fromEntries(set) };
}

describe("words of mount(8) stay with it", () => {
  const dropped = [
    ...["defaults", "auto", "noauto", "nofail", "_netdev", "nouser", "async", "sync", "dirsync", "lazytime"],
    ...[
      "mand",
      "nomand",
      "iversion",
      "silent",
      "loud",
      "x-systemd.automount",
      "x-gvfs-show",
      "X-mount.mkdir",
    ],
    ...["comment=a", "x-systemd.requires=/a b", "nogroup", "noowner", "nousers"],
  ];
  it.each(dropped)("%s", (word) => expect(taken(`${word},noexec,${word}`)).toEqual({ words: "noexec" }));

  it.each([
    ["user", "noexec,nosuid,nodev"],
    ["users,exec", "noexec,nosuid,nodev,exec"],
    ["owner", "nosuid,nodev"],
    ["group,suid", "nosuid,nodev,suid"],
    ["allow_suid,allow_dev", "suid,dev"],
  ])("%s means %s", (list, words) => expect(taken(list)).toEqual({ words }));
});

describe("words that are options", () => {
  it.each<[list: string, want: object]>([
    ["ref=app:1.0", { ref: "app:1.0" }],
    ["platform=linux/arm64", { platform: expect.anything() }],
    ["cache-dir=/a", { cacheDir: "/a" }],
    ["cache_dir=/a", { cacheDir: "/a" }],
    ["driver=fuse,lenient", { driver: "fuse", lenient: true }],
    ["upper=/changes", { rw: "/changes" }],
    ["rw=/changes", { rw: "/changes" }],
    ["blob_dir=/a,blob_dir=/b", { blobDir: ["/a", "/b"] }],
    ['log-file="/a,b",force', { logFile: "/a,b", force: true }],
    ["log-file=/a\\,b", { logFile: "/a,b" }],
    ["blob=1=/a=b", { blob: [["1", "/a=b"]] }],
    ["fuse-threads=3", { fuseThreads: 3 }],
  ])("%s", (list, want) => expect(taken(list)).toEqual({ words: "", ...want }));

  it.each([
    ["bogus", /^-o bogus: neither mount\(8\) nor FUSE, EROFS or nydusd-ts has such a word/],
    ["ro,uid=1000", /^-o uid=1000: owners are those of the image$/],
    ["auto_unmount", /^-o auto_unmount: neither/],
    ["nonempty", /^-o nonempty: force, or --force,/],
    ["rw", /^-o rw: an image is read-only; upper=DIR, or --rw DIR/],
    ["ref", /^-o ref: want ref=VALUE, as --ref <name> says$/],
    ["lenient=1", /^-o lenient=1: lenient has no value$/],
    ["driver=ext4", /^-o driver=ext4: Allowed choices are/],
    ["prefetch-rate=x", /^-o prefetch-rate=x: want a whole number/],
    ["user=nobody", /^-o user=nobody: write --user NAME$/],
    ["remount", /^-o remount: neither/],
    ["shared-dir=/a", /^-o shared-dir=\/a: neither/],
    ...["daemonize", "foreground", "no-keeper", "recover", "options=ro", "help"].map(
      (word): [string, RegExp] => [word, /: neither/],
    ),
  ])("%s is refused by its name", (list, want) => expect(() => taken(list)).toThrow(want));
});

describe("what mount(8) and mount.fuse3(8) write by themselves", () => {
  it.each<[list: string, want: object]>([
    ["rw,dev,suid", { words: "" }],
    ["ro,dev,suid", { words: "ro" }],
    ["ro,noexec,nodev,suid", { words: "ro,noexec,nodev" }],
    ["rw,noexec,nosuid,nodev", { words: "noexec,nosuid,nodev" }],
    ["rw,ref=a,dev,suid", { words: "", ref: "a" }],
    ["suid,dev", { words: "suid,dev" }],
    ["rw,suid", { words: "" }],
    [
      "ro,remount,user_id=0,group_id=0,default_permissions,allow_other,dev,suid",
      {
        words: "ro,default_permissions,allow_other",
        isRemount: true,
      },
    ],
  ])("%s", (list, want) => expect(taken(list, true)).toEqual(want));
});

describe("lists", () => {
  it.each([
    ["a,b", ["a", "b"]],
    [",a,,b,", ["a", "b"]],
    ['context="s0:c1,c2",ro', ["context=s0:c1,c2", "ro"]],
    ["a=b\\,c\\\\d,e\\f", ["a=b,c\\d", "e\\f"]],
    ["", []],
  ])("%s", (list, words) => expect(splitWords(list)).toEqual(words));

  it("are joined for mount(8) as it takes them apart", () =>
    expect(joinOptions(["ro", "context=a,b"])).toBe('ro,context="a,b"'));

  it("are the mount's or the file system's", () =>
    expect(splitOptions(["ro", "acl", "noexec", "max_read=1"])).toEqual({
      ofMount: ["ro", "noexec"],
      ofFileSystem: ["acl", "max_read=1"],
    }));

  it("are known to a driver, or named", () => {
    expect(() => mustKnow("fuse", ["ro", "acl"])).toThrow("-o acl: for the driver erofs only");
    expect(() => mustKnow("erofs", ["max_read=1"])).toThrow("-o max_read=1: for the driver fuse only");
    expect(() => mustKnow("fuse", ["ro", "context=a", "allow_other"])).not.toThrow();
    expect(kindOf("context=a")).toBe("any");
  });
});
