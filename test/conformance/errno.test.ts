import { beforeAll, describe, expect, it } from "vitest";
import { ask, emptyDir, mountErofs, start } from "../support/daemon.ts";
import { ABSENT } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { type TarImage, tarImage } from "../support/tar-image.ts";

let image: TarImage;
beforeAll(() => {
  image =
    tarImage(`mkdir d e; echo text >f; echo more >d/g; ln -s f l; ln -s none dead; ln -s l2 l2; mkfifo p; ln f hard
    setfattr -n user.a -v b f; mknod null c 1 3; chmod 644 f; mkdir -m 700 private; echo x >private/x`);
});

/** What each call answers at a mountpoint: an errno's name, or what it gave. */
const CALLS = `
import ctypes, errno, fcntl, json, mmap, os, socket, stat, sys, termios
os.chdir(sys.argv[1])
if len(sys.argv) > 2: os.setgid(1000); os.setuid(1000)
libc = ctypes.CDLL(None, use_errno=True)
def raw(name, *args):
    if getattr(libc, name)(*args) < 0: raise OSError(ctypes.get_errno(), name)
def opened(path, flags=os.O_RDONLY, mode=0o644):
    fd = os.open(path, flags, mode); os.close(fd)
def with_fd(path, f, flags=os.O_RDONLY):
    fd = os.open(path, flags)
    try: return f(fd)
    finally: os.close(fd)
O = os
W, RW, C, T, X, A, D, NF = O.O_WRONLY, O.O_RDWR, O.O_CREAT, O.O_TRUNC, O.O_EXCL, O.O_APPEND, O.O_DIRECTORY, O.O_NOFOLLOW
calls = {}
for path in ("f", "d", "l", "dead", "none", "d/g", "f/x", "none/x", "p" , "null", "n" * 256, "l2", "private/x", "."):
    for name, flags in (("r", 0), ("w", W), ("rw", RW), ("w+t", W | T), ("creat", W | C), ("creat+excl", W | C | X), ("append", W | A), ("dir", D), ("nofollow", NF), ("path", O.O_PATH), ("tmpfile", W | O.O_TMPFILE), ("direct", O.O_DIRECT), ("noatime", O.O_NOATIME)):
        calls["open %s %s" % (path[:9], name)] = lambda path=path, flags=flags: opened(path, flags | O.O_NONBLOCK)
    for name, f in dict(mkdir=O.mkdir, rmdir=O.rmdir, unlink=O.unlink, chmod=lambda p: O.chmod(p, 0o600), chown=lambda p: O.chown(p, 1, 1), lchown=lambda p: O.lchown(p, 1, 1), truncate=lambda p: O.truncate(p, 0), longer=lambda p: O.truncate(p, 99999), utime=lambda p: O.utime(p, (1, 1)), lutime=lambda p: O.utime(p, (1, 1), follow_symlinks=False), mknod=O.mknod, mkfifo=O.mkfifo, symlink=lambda p: O.symlink("x", p), setxattr=lambda p: O.setxattr(p, "user.x", b"y"), trusted=lambda p: O.setxattr(p, "trusted.x", b"y"), removexattr=lambda p: O.removexattr(p, "user.a"), access_w=lambda p: raw("access", p.encode(), 2), access_r=lambda p: raw("access", p.encode(), 4), access_x=lambda p: raw("access", p.encode(), 1), readlink=O.readlink, listdir=lambda p: sorted(O.listdir(p)), chdir=lambda p: with_fd(".", lambda fd: (O.chdir(p), O.fchdir(fd))[0]), statfs=lambda p: O.statvfs(p).f_namemax, getxattr=lambda p: O.getxattr(p, "user.a").decode(), nlink=lambda p: O.lstat(p).st_nlink).items():
        calls["%s %s" % (name, path[:9])] = lambda f=f, path=path: f(path)
    for name in ("user.none", "user.", "trusted.none", "trusted.", "security.none", "security.", "system.none", "system.", "system.nfs4_acl", "system.posix_acl_access", "system.posix_acl_default", "system.posix_acl_accessX", "lustre.lov", "com.apple.provenance", "user", "User.a", "none", "none." + "n" * 250, "n" * 256):
        calls["getxattr %s %s" % (path[:9], name[:30])] = lambda path=path, name=name: O.getxattr(path, name, follow_symlinks=False)
    calls["listxattr %s" % path[:9]] = lambda path=path: O.listxattr(path, follow_symlinks=False)
    for to in ("f", "d", "new", "d/new", "none/x", "e"):
        calls["rename %s %s" % (path[:9], to)] = lambda path=path, to=to: O.rename(path, to)
        calls["link %s %s" % (path[:9], to)] = lambda path=path, to=to: O.link(path, to, follow_symlinks=False)
calls["rename out"] = lambda: O.rename("f", "/tmp/nydusd-ts-new")
calls["link out"] = lambda: O.link("f", "/tmp/nydusd-ts-new")
for name, f in dict(fchmod=lambda fd: O.fchmod(fd, 0o600), fchown=lambda fd: O.fchown(fd, 1, 1), ftruncate=lambda fd: O.ftruncate(fd, 0), futime=lambda fd: O.utime(fd, (1, 1)), write=lambda fd: O.write(fd, b"x"), pwrite=lambda fd: O.pwrite(fd, b"x", 0), fallocate=lambda fd: O.posix_fallocate(fd, 0, 4096), fsetxattr=lambda fd: O.setxattr(fd, "user.x", b"y"), fremovexattr=lambda fd: O.removexattr(fd, "user.a"), mmap_w=lambda fd: mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_WRITE) and 0, mmap_private_w=lambda fd: mmap.mmap(fd, 4, mmap.MAP_PRIVATE, mmap.PROT_WRITE | mmap.PROT_READ)[:4].decode(), flock=lambda fd: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), lock_r=lambda fd: fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB), lock_w=lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), syncfs=lambda fd: raw("syncfs", fd), fdatasync=O.fdatasync, fsync=O.fsync, tty=lambda fd: termios.tcgetattr(fd) and 0, negative=lambda fd: O.pread(fd, 1, -1), seek_back=lambda fd: O.lseek(fd, -1, 0), past=lambda fd: O.pread(fd, 10, 1 << 40).decode(), copy_onto=lambda fd: O.copy_file_range(fd, fd, 1)).items():
    calls["%s fd" % name] = lambda f=f: with_fd("f", f)
for name, f in dict(read=lambda fd: O.read(fd, 1), fsync=O.fsync, mmap=lambda fd: mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_READ) and 0).items():
    calls["%s dirfd" % name] = lambda f=f: with_fd("d", f)
seen = {}
for name, call in calls.items():
    try: seen[name] = str(call())
    except OSError as e: seen[name] = errno.errorcode.get(e.errno, str(e.errno))
    except Exception as e: seen[name] = type(e).__name__
print(json.dumps(seen))
`;

/** Where it differs from the kernel's EROFS, and why. */
const DIFFERENT: Record<string, [kernel: string, ours: string]> = {
  // A FUSE file system may have data to flush; that there is none is a success.
  "fsync fd": ["EINVAL", "None"],
  "fdatasync fd": ["EINVAL", "None"],
  "fsync dirfd": ["EINVAL", "None"],
};

describe("every call answers as the kernel's EROFS", () => {
  needs(ABSENT["erofs-file"]);

  it.each([
    ["direct", "root"],
    ["direct", "a user"],
    ["fuse-native", "root"],
    ["fuse-native", "a user"],
  ])("%s, for %s", async (transport, who) => {
    const daemon = await start([...image.flags, "--transport", transport]);
    const erofs = emptyDir();
    mountErofs(image.boot, [image.tar], erofs);
    await ask(
      'mount -o remount,nosuid,nodev "$1"; chmod 755 "$(dirname "$1")" "$(dirname "$2")"',
      erofs,
      daemon.mountpoint,
    );
    const look = async (at: string): Promise<Record<string, string>> =>
      JSON.parse(
        await ask(
          'script=$1; shift; timeout 100 python3 -c "$script" "$@"',
          CALLS,
          at,
          ...(who === "root" ? [] : ["user"]),
        ),
      );
    const [kernel, ours] = [await look(erofs), await look(daemon.mountpoint)];
    expect(Object.keys(ours).length).toBeGreaterThan(900);
    // The kernel's EROFS reads past its cache only from files in blocks of a disk; FUSE always does.
    const isDirect = (name: string) =>
      name.endsWith(" direct") && kernel[name] === "EINVAL" && ours[name] === "None";
    const differing = Object.keys(kernel).filter((name) => kernel[name] !== ours[name] && !isDirect(name));
    expect(Object.fromEntries(differing.map((name) => [name, [kernel[name], ours[name]]]))).toEqual(
      DIFFERENT,
    );
    expect(await daemon.stop()).toBe(0);
  });
});
