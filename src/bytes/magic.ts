/** Data that a layer may be compressed with. */
export type Compression = "gzip" | "zstd" | "xz" | "bzip2";

/** What a file is by its bytes. */
export interface FileKind {
  /** With its article: "a squashfs image". */
  readonly what: string;
  /** What helps somebody who wanted a layer or an image of it; FILE stands for its path. */
  readonly help: string;
  /** Bytes that tell, each as text of one byte a character: any of them will do. */
  readonly signs: readonly (readonly [at: number, bytes: string])[];
  /** What is read here all the same, and by what name. */
  readonly reads?: Compression | "tar" | "erofs";
}

const MOUNT_OR_BUILD =
  "nydusd-ts mount FILE DIR mounts it, nydus-image-ts create FILE builds a bootstrap of it";
const PLAIN_TAR = "make it a tar, e.g. bsdtar -cf FILE.tar @FILE";
const LOOP = "mount -o ro,loop FILE DIR shows it, tar -C DIR -cf FILE.tar . makes a layer of it";
const DISK = "qemu-nbd -r -c /dev/nbd0 FILE gives its file systems, of which tar makes layers";
const SKIP = "\x2a\x4d\x18";

/** @see https://www.rfc-editor.org/rfc/rfc8878 (zstd: a frame, or one of 16 to be skipped) */
const ZSTD_SIGNS: FileKind["signs"] = [
  [0, "\x28\xb5\x2f\xfd"],
  ...Array.from({ length: 16 }, (_, i) => [0, String.fromCharCode(0x50 + i) + SKIP] as const),
];

/** EROFS, and so RAFS v6: its magic, and where its superblock begins. Source: linux/fs/erofs/erofs_fs.h. */
export const EROFS_MAGIC = 0xe0f5e1e2;
export const EROFS_AT = 1024;

/** Of most tars; those from before it are known by their checksum. */
const USTAR = "ustar";
const USTAR_AT = 257;

/**
 * What people hand over, by its magic number: the one table of them. Sources: file(1)'s magic directory, the formats'
 * own specifications, linux/include/uapi/linux/magic.h.
 */
const KINDS: readonly FileKind[] = [
  // What is read here, by whatever takes it.
  { what: "a tar", help: MOUNT_OR_BUILD, signs: [[USTAR_AT, USTAR]], reads: "tar" },
  {
    what: "an EROFS image or a RAFS v6 bootstrap",
    help: "nydusd-ts mount FILE DIR mounts it, nydus-image-ts merge lays bootstraps over one another",
    signs: [[EROFS_AT, "\xe2\xe1\xf5\xe0"]],
    reads: "erofs",
  },
  { what: "gzip data", help: MOUNT_OR_BUILD, signs: [[0, "\x1f\x8b"]], reads: "gzip" },
  { what: "zstd data", help: MOUNT_OR_BUILD, signs: ZSTD_SIGNS, reads: "zstd" },
  { what: "xz data", help: MOUNT_OR_BUILD, signs: [[0, "\xfd7zXZ\0"]], reads: "xz" },
  // A bzip2 stream has a block, or its end.
  {
    what: "bzip2 data",
    help: MOUNT_OR_BUILD,
    signs: Array.from("123456789").flatMap((level) => [
      [0, `BZh${level}1AY&SY`] as const,
      [0, `BZh${level}\x17rE8P\x90`] as const,
    ]),
    reads: "bzip2",
  },
  // Other compressions.
  {
    what: "lz4 data",
    help: "decompress it first: lz4 -d FILE FILE.tar",
    signs: [
      [0, "\x04\x22\x4d\x18"],
      [0, "\x02\x21\x4c\x18"],
    ],
  },
  {
    what: "lzma data",
    help: "decompress it first: xz --format=lzma -dc FILE > FILE.tar",
    signs: [[0, "\x5d\0\0"]],
  },
  { what: "lzip data", help: "decompress it first: lzip -dc FILE > FILE.tar", signs: [[0, "LZIP\x01"]] },
  {
    what: "lzop data",
    help: "decompress it first: lzop -dc FILE > FILE.tar",
    signs: [[0, "\x89LZO\0\r\n\x1a\n"]],
  },
  {
    what: "data of compress (.Z)",
    help: "decompress it first: gzip -dc FILE > FILE.tar",
    signs: [[0, "\x1f\x9d"]],
  },
  {
    what: "snappy data",
    help: "decompress it first: snzip -dc FILE > FILE.tar",
    signs: [[0, "\xff\x06\0\0sNaPpY"]],
  },
  // Other archives.
  {
    what: "a zip archive",
    help: PLAIN_TAR,
    signs: [
      [0, "PK\x03\x04"],
      [0, "PK\x05\x06"],
    ],
  },
  { what: "a 7-Zip archive", help: PLAIN_TAR, signs: [[0, "7z\xbc\xaf\x27\x1c"]] },
  { what: "a RAR archive", help: PLAIN_TAR, signs: [[0, "Rar!\x1a\x07"]] },
  {
    what: "a cpio archive",
    help: PLAIN_TAR,
    signs: [
      [0, "070701"],
      [0, "070702"],
      [0, "070707"],
      [0, "\xc7\x71"],
      [0, "\x71\xc7"],
    ],
  },
  {
    what: "a Debian package or ar archive",
    help: "dpkg-deb --fsys-tarfile FILE > FILE.tar takes a package's files out of it",
    signs: [[0, "!<arch>\n"]],
  },
  { what: "an RPM package", help: "rpm2archive FILE makes a tar of it", signs: [[0, "\xed\xab\xee\xdb"]] },
  { what: "a xar archive", help: PLAIN_TAR, signs: [[0, "xar!"]] },
  // File systems and disks.
  {
    what: "a squashfs image",
    help: "sqfs2tar FILE > FILE.tar makes a layer of it, mount -o ro,loop FILE DIR shows it",
    signs: [
      [0, "hsqs"],
      [0, "sqsh"],
    ],
  },
  {
    what: "a Singularity image (SIF)",
    help: "skopeo copy sif:FILE oci:DIR, then nydusd-ts mount DIR",
    signs: [[32, "SIF_MAGIC"]],
  },
  {
    what: "a RAFS v5 bootstrap",
    help: "only v6 is read: build the image again with nydus-image create --fs-version 6, or mount it with nydusd",
    signs: [[0, "SFAR"]],
  },
  { what: "an ext2, ext3 or ext4 file system", help: LOOP, signs: [[1080, "\x53\xef"]] },
  { what: "an XFS file system", help: LOOP, signs: [[0, "XFSB"]] },
  { what: "an F2FS file system", help: LOOP, signs: [[1024, "\x10\x20\xf5\xf2"]] },
  { what: "a Btrfs file system", help: LOOP, signs: [[0x10040, "_BHRfS_M"]] },
  { what: "a cramfs file system", help: LOOP, signs: [[0, "\x45\x3d\xcd\x28"]] },
  { what: "a romfs file system", help: LOOP, signs: [[0, "-rom1fs-"]] },
  { what: "an ISO 9660 image", help: LOOP, signs: [[0x8001, "CD001"]] },
  {
    what: "a FAT file system",
    help: LOOP,
    signs: [
      [54, "FAT1"],
      [82, "FAT32"],
    ],
  },
  { what: "an NTFS file system", help: LOOP, signs: [[3, "NTFS    "]] },
  {
    what: "a LUKS volume",
    help: "cryptsetup open --readonly FILE NAME gives what is in it",
    signs: [[0, "LUKS\xba\xbe"]],
  },
  { what: "a swap area", help: "there is no tree in it", signs: [[4086, "SWAPSPACE2"]] },
  { what: "a QEMU disk image (qcow)", help: DISK, signs: [[0, "QFI\xfb"]] },
  {
    what: "a VMware disk image",
    help: DISK,
    signs: [
      [0, "KDMV"],
      [0, "COWD"],
      [0, "# Disk DescriptorFile"],
    ],
  },
  { what: "a VirtualBox disk image", help: DISK, signs: [[64, "\x7f\x10\xda\xbe"]] },
  {
    what: "a Hyper-V disk image",
    help: DISK,
    signs: [
      [0, "vhdxfile"],
      [0, "conectix"],
    ],
  },
  {
    what: "a disk with a partition table",
    help: "losetup -Pf --show -r FILE gives its partitions, of which tar makes layers",
    signs: [
      [512, "EFI PART"],
      [510, "\x55\xaa"],
    ],
  },
  // Single files.
  {
    what: "a program (ELF)",
    help: "a layer is a tar: tar -cf FILE.tar FILE",
    signs: [[0, "\x7fELF"]],
  },
  { what: "a script", help: "a layer is a tar: tar -cf FILE.tar FILE", signs: [[0, "#!"]] },
  {
    what: "a pointer of Git LFS",
    help: "git lfs pull fetches the file itself",
    signs: [[0, "version https://git-lfs"]],
  },
  {
    what: "a web page",
    help: "the download went wrong: fetch the file itself",
    signs: [
      [0, "<!DOCTYPE"],
      [0, "<!doctype"],
      [0, "<html"],
      [0, "<HTML"],
    ],
  },
  {
    what: "a JSON document",
    help: "a manifest or index has no files in it: name the directory or archive that it is part of",
    signs: [
      [0, '{"'],
      [0, "{\n"],
      [0, "{\r\n"],
      [0, "{ "],
      [0, "[{"],
      [0, "[\n"],
    ],
  },
];

/** Names in the table of contents at the end of a nydus blob: a tar header behind the data. */
const NYDUS_ENTRIES = /^(rafs\.blob\.toc|blob\.(meta|meta\.header|digest)|image\.(blob|boot|disk))\0/;
const NYDUS_BLOB: FileKind = {
  what: "a nydus blob",
  help: "it holds chunks, not files: nydusd mounts its bootstrap, and here the image that it was made of mounts",
  signs: [],
};

/** Bytes at the beginning of a file in which all but few signs are; and all of them. */
export const HEAD = 1536;
export const LONG_HEAD = 0x10048;
/** Bytes at the end of a file that `kindOfTail` wants. */
export const TAIL = 512;

/** What the first bytes of a file show it to be; undefined when they show nothing. */
export function kindOf(head: Uint8Array): FileKind | undefined {
  // A name in a tar may begin like anything.
  if (hasBytes(head, USTAR_AT, USTAR) || hasTarChecksum(head)) return KINDS[0];
  return KINDS.find(({ signs }) => signs.some(([at, bytes]) => hasBytes(head, at, bytes)));
}

/** The same of its last bytes. */
export function kindOfTail(tail: Uint8Array): FileKind | undefined {
  if (tail.length < TAIL) return undefined;
  const block = tail.subarray(tail.length - TAIL);
  const name = String.fromCharCode(...block.subarray(0, 100));
  return hasTarChecksum(block) && NYDUS_ENTRIES.test(name) ? NYDUS_BLOB : undefined;
}

/** "a squashfs image, …: what helps", for a message about `path`. */
export const refusalOf = ({ what, help }: FileKind, wanted: string, path: string): string =>
  `${what}, ${wanted}; ${help.replaceAll("FILE", path)}`;

function hasBytes(head: Uint8Array, at: number, bytes: string): boolean {
  if (at + bytes.length > head.length) return false;
  for (let i = 0; i < bytes.length; i++) if (head[at + i] !== bytes.charCodeAt(i)) return false;
  return true;
}

const CHECKSUM_AT = 148;
const CHECKSUM_END = 156;

/** Of any tar, also one from before `ustar`. The reader's own test is made for speed, and knows of odd sums. */
function hasTarChecksum(head: Uint8Array): boolean {
  if (head.length < 512) return false;
  const digits = /^[ \0]*([0-7]{1,8})/.exec(
    String.fromCharCode(...head.subarray(CHECKSUM_AT, CHECKSUM_END)),
  )?.[1];
  if (digits === undefined) return false;
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += i >= CHECKSUM_AT && i < CHECKSUM_END ? 0x20 : (head[i] as number);
  return sum === Number.parseInt(digits, 8);
}
