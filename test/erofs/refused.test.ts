import { statSync, truncateSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EUCLEAN } from "../../src/bytes/errno.ts";
import {
  describeNode,
  fixture,
  fixtureNames,
  image,
  nodeAt,
  pathOf,
  refusal,
  type Scratch,
  serve,
  tree,
} from "../support/image.ts";

/**
 * Broken images, one line a case, in a text table because messages are longer than formatted lines may be:
 *
 *   name | fixture, byte=hex to overwrite, cut=length | message in full | what a lenient open makes of it
 *
 * The last column: "-" refused just the same; else how many broken entries it counts, and the paths that
 * answer EUCLEAN. All others must be as the kernel shows them in the valid image.
 */
const SUPERBLOCK = `
empty file                       | 01-basic cut=0 | image @0x0: 0 bytes is too short for an EROFS superblock, want at least 1152 | -
ends in the superblock           | 01-basic cut=1151 | image @0x0: 1151 bytes is too short for an EROFS superblock, want at least 1152 | -
ends behind the superblock       | 01-basic cut=1152 | image @0x580: 128 bytes wanted here, but the image ends at 0x480 | -
no magic                         | 01-basic 0x400=00000000 | image @0x400: magic is 0x0, want 0xe0f5e1e2 | -
block size below 512             | 01-basic 0x40c=08 | image @0x40c: block size is 2^8, want 2^9…2^12 | -
block size above 4096            | 01-basic 0x40c=0d | image @0x40c: block size is 2^13, want 2^9…2^12 | -
block size 2^255                 | 01-basic 0x40c=ff | image @0x40c: block size is 2^255, want 2^9…2^12 | -
checksum field                   | 20-erofs-default 0x404=00000000 | image @0x404: checksum is 0x0, the superblock's is 0x8e5177d0 | -
checksummed byte                 | 20-erofs-default 0x404=00000000 0x800=ff | image @0x404: checksum is 0x0, the superblock's is 0x38a864ef | -
ends in the checksummed block    | 20-erofs-default cut=2000 | image @0x0: 2000 bytes end inside the checksummed block | -
feature LZ4_0PADDING             | 20-erofs-default 0x450=01 | image @0x450: incompatible feature(s) 0x1 (LZ4_0PADDING) not supported: only uncompressed images can be served | -
feature COMPR_CFGS               | 20-erofs-default 0x450=02 | image @0x450: incompatible feature(s) 0x2 (COMPR_CFGS) not supported: only uncompressed images can be served | -
feature ZTAILPACKING             | 20-erofs-default 0x450=10 | image @0x450: incompatible feature(s) 0x10 (ZTAILPACKING) not supported: only uncompressed images can be served | -
feature FRAGMENTS                | 20-erofs-default 0x450=20 | image @0x450: incompatible feature(s) 0x20 (FRAGMENTS) not supported: only uncompressed images can be served | -
feature METABOX                  | 20-erofs-default 0x450=8001 | image @0x450: incompatible feature(s) 0x100 (METABOX) not supported: only uncompressed images can be served | -
unknown feature                  | 01-basic 0x450=0c02 | image @0x450: incompatible feature(s) 0x200 (unknown 0x200) not supported: only uncompressed images can be served | -
several features                 | 01-basic 0x450=0f000080 | image @0x450: incompatible feature(s) 0x80000003 (LZ4_0PADDING, COMPR_CFGS, unknown 0x80000000) not supported: only uncompressed images can be served | -
directory block bits             | 20-erofs-default 0x45a=01 | image @0x45a: directory block bits are 1, want 0 | -
superblock extensions            | 20-erofs-default 0x40d=b9 | image @0x40d: superblock has 185 extension slots, want at most 184 (one 4 KiB page) | -
root nid 0                       | 01-basic 0x40e=0000 | image @0x40e: nid is 0, which is no inode | -
root nid behind the end          | 01-basic 0x40e=ffff | image @0x40e: nid 65535 is at 0x201fe0, the image ends at 0x5000 | -
64-bit root nid behind the end   | 26-erofs-48bit-dotomit 0x470=ffffffffffffffff | image @0x470: nid 18446744073709552000 is at 0x200000000000000000, the image ends at 0x27000 | -
root is a file                   | 01-basic 0x40e=8c00 | image @0x3180: the root is not a directory | -
root is an unused slot           | 01-basic 0x40e=0100 | image @0x2020: nlink is 0, want at least 1 | -
inode table behind the end       | 01-basic 0x428=28000000 | image @0x40e: nid 128 is at 0x6000, the image ends at 0x5000 | -
inode table at 2 TiB             | 01-basic 0x428=ffffffff | image @0x40e: nid 128 is at 0x20000000e00, the image ends at 0x5000 | -
more devices than ids            | 24-erofs-tar-index 0x456=ff00 | image @0x456: the image has 255 devices, want at most 254 | -
device table in the superblock   | 24-erofs-tar-index 0x458=0800 | image @0x458: device table is at 0x400, want 0x480 or above | -
device table behind the end      | 24-erofs-tar-index 0x458=ffff | image @0x7fff80: 128 bytes wanted here, but the image ends at 0x1a00 | -
device table crosses the end     | 24-erofs-tar-index 0x456=2d00 | image @0x480: 5760 bytes wanted here, but the image ends at 0x1a00 | -
`;

const ZEROS = "00".repeat(64);
const FIRST_ID = Buffer.from("1ff89c9540cd93875e0d8c5b69cba3ac946cf2f0d8e8aaf49f1303d83e459168").toString(
  "hex",
);

const DEVICES = String.raw`
blob id with a slash             | 01-basic 0x580=2e2e2f | image @0x580: device slot 0: blob id "../eabf8367832485d7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de" is not a plain file name | -
blob id ".."                     | 23-erofs-blobdev-indexes 0x480=2e2e00 | image @0x480: device slot 0: blob id ".." is not a plain file name | -
blob id with a control byte      | 01-basic 0x590=0a | image @0x580: device slot 0: blob id "d78eabf836783248\x0ad7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de" is not a plain file name | -
blob id not UTF-8                | 01-basic 0x590=ff | image @0x580: device slot 0: blob id "d78eabf836783248\xffd7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de" is not a plain file name | -
blob id goes on after a NUL      | 01-basic 0x590=00 | image @0x590: device slot 0: blob id "d78eabf836783248" goes on after its NUL | -
blob id missing                  | 01-basic 0x580=${ZEROS} | image @0x580: device slot 0: blob id is empty | -
blob id twice                    | 12-merged 0x600=${FIRST_ID} | image @0x600: device slot 1: blob id "1ff89c9540cd93875e0d8c5b69cba3ac946cf2f0d8e8aaf49f1303d83e459168" is in slot 0 already | -
no blocks                        | 01-basic 0x5c0=00000000 | image @0x5c0: device slot 0: 0 blocks, want at least 1 | -
`;

const RAFS = `
unknown flag                     | 01-basic 0x480=190a | image @0x480: RAFS flags 0x1000a19 have unknown bits 0x800 | -
unknown high flag                | 01-basic 0x484=00000001 | image @0x480: RAFS flags 0x1000219 have unknown bits 0x100000000000000 | -
no compression flag              | 01-basic 0x480=18 | image @0x480: RAFS flags 0x1000218 want exactly one compression and one digest | -
two compression flags            | 01-basic 0x480=1b | image @0x480: RAFS flags 0x100021b want exactly one compression and one digest | -
lz4                              | 01-basic 0x480=1a | image @0x480: RAFS flags 0x100021a name a compression: only uncompressed data can be served | -
zstd                             | 01-basic 0x480=98 | image @0x480: RAFS flags 0x1000298 name a compression: only uncompressed data can be served | -
no digest flag                   | 01-basic 0x480=11 | image @0x480: RAFS flags 0x1000211 want exactly one compression and one digest | -
two digest flags                 | 01-basic 0x480=1d | image @0x480: RAFS flags 0x100021d want exactly one compression and one digest | -
encrypted                        | 01-basic 0x483=02 | image @0x480: RAFS flags 0x2000219 name an encryption: cannot be served | -
TARFS with 4096-byte blocks      | 14-rafs4k-disk 0x481=02 | image @0x480: block size is 4096, want 512 for a TARFS image | -
plain RAFS with 512-byte blocks  | 01-basic 0x481=00 | image @0x480: block size is 512, want 4096 for a plain RAFS image | -
plain RAFS with packed blobs     | 14-rafs4k-disk cut=0xc6fff | image @0x480: plain RAFS image whose blobs are packed files: only TARFS, or what nydus-image export --block wrote, can be served | -
superblock names a compression   | 01-basic 0x454=0100 | image @0x454: the superblock names compression 0x1, want 0 | -
chunk size 0                     | 01-basic 0x494=00000000 | image @0x494: chunk size is 0x0, want a power of two in 0x1000…0x1000000 | -
chunk size below 4 KiB           | 01-basic 0x494=00080000 | image @0x494: chunk size is 0x800, want a power of two in 0x1000…0x1000000 | -
chunk size above 16 MiB          | 01-basic 0x494=00000002 | image @0x494: chunk size is 0x2000000, want a power of two in 0x1000…0x1000000 | -
chunk size no power of two       | 01-basic 0x494=00301000 | image @0x494: chunk size is 0x103000, want a power of two in 0x1000…0x1000000 | -
device table elsewhere           | 12-merged 0x458=0c00 0x456=0200 0x490=00020000 | image @0x458: device table is at 0x600, want 0x580 | -
blob table too small             | 12-merged 0x490=00020000 | image @0x490: blob table is 512 bytes, want 3 × 256 | -
blob table too large             | 01-basic 0x490=00020000 | image @0x490: blob table is 512 bytes, want 1 × 256 | -
blob table not aligned           | 01-basic 0x488=0110 | image @0x488: blob table of 256 bytes is at 0x1001, want a multiple of 4096 between 0x600 and 0x5000 | -
blob table over the superblock   | 01-basic 0x488=0000 | image @0x488: blob table of 256 bytes is at 0x0, want a multiple of 4096 between 0x600 and 0x5000 | -
blob table behind the end        | 01-basic 0x488=0050 | image @0x488: blob table of 256 bytes is at 0x5000, want a multiple of 4096 between 0x600 and 0x5000 | -
blob table at 2^63               | 01-basic 0x48f=80 | image @0x488: blob table of 256 bytes is at 0x8000000000001000, want a multiple of 4096 between 0x600 and 0x5000 | -
blob id differs from the device  | 12-merged 0x1121=00 | image @0x1121: blob 1: id differs from device slot 1 ("ff2fea9503016b1d163d038430cbdf741c8ee4d5cea750582e5290347511be9f") | -
blob index                       | 12-merged 0x1140=02 | image @0x1140: blob 1: index is 2, want 1 | -
blob chunk size                  | 01-basic 0x1044=00002000 | image @0x1044: blob 0: chunk size is 0x200000, want 0x100000 | -
blob compression                 | 01-basic 0x104c=01 | image @0x104c: blob 0: compression is 1, want 0 (none) | -
prefetch table not aligned       | 07-prefetch 0x4a8=0111 | image @0x4a8: prefetch table of 8 bytes is at 0x1101, want multiples of 4 below 0x5000 | -
prefetch table size not aligned  | 07-prefetch 0x4b0=07 | image @0x4a8: prefetch table of 7 bytes is at 0x1100, want multiples of 4 below 0x5000 | -
prefetch table behind the end    | 07-prefetch 0x4aa=ff | image @0x4a8: prefetch table of 8 bytes is at 0xff1100, want multiples of 4 below 0x5000 | -
more prefetch entries than inodes | 07-prefetch 0x4b0=00300000 | image @0x4b0: prefetch table has 3072 entries, there is room for 256 inodes | -
prefetch names no inode          | 07-prefetch 0x1104=ff000000 | image @0x4a8: prefetch table names nid 255, which is not in the tree | 1:
prefetch nid behind the end      | 07-prefetch 0x1100=ffffffff | image @0x4a8: prefetch table names nid 4294967295, which is not in the tree | 1:
`;

const INODES = `
unknown format bits              | 01-basic 0x3180=2900 | image @0x3180: inode format is 0x29, want no bits above 0x1f | 1: /bin/busybox /bin/dash /bin/sh
layout 1, compressed             | 01-basic 0x3180=03 | image @0x3180: inode layout is 1: compressed data cannot be served | 1: /bin/busybox /bin/dash /bin/sh
layout 3, compressed             | 01-basic 0x3180=07 | image @0x3180: inode layout is 3: compressed data cannot be served | 1: /bin/busybox /bin/dash /bin/sh
layout 5                         | 01-basic 0x3180=0b | image @0x3180: inode layout is 5, want 0, 2 or 4 | 1: /bin/busybox /bin/dash /bin/sh
layout 7                         | 01-basic 0x3180=0f | image @0x3180: inode layout is 7, want 0, 2 or 4 | 1: /bin/busybox /bin/dash /bin/sh
root is compressed               | 01-basic 0x3000=03 | image @0x3000: inode layout is 1: compressed data cannot be served | -
root without a type              | 01-basic 0x3004=ed01 | image @0x3000: mode is 0755: no such file type | -
mode without a type              | 01-basic 0x33c4=b601 0x331a=00 | image @0x33c0: mode is 0666: no such file type | 1: /dev/null
nlink 0                          | 01-basic 0x37cc=00 | image @0x37a0: nlink is 0, want at least 1 | 1: /tmp
compact nlink 0                  | 24-erofs-tar-index 0x506=0000 | image @0x500: nlink is 0, want at least 1 | -
10^9 nanoseconds                 | 01-basic 0x3768=00ca9a3b | image @0x3740: mtime has 1000000000 nanoseconds, want below 10^9 | 1: /etc/one
10^9 nanoseconds of all compact  | 24-erofs-tar-index 0x420=00ca9a3b | image @0x500: mtime has 1000000000 nanoseconds, want below 10^9 | -
size 2^62                        | 01-basic 0x374f=40 | image @0x3740: size is 4611686018427388000, want below 2^53 | 1: /etc/one
size 2^64 - 1                    | 01-basic 0x3748=ffffffffffffffff | image @0x3740: size is 18446744073709552000, want below 2^53 | 1: /etc/one
size 2^52                        | 01-basic 0x374e=10 | image @0x3740: 4294967297 chunks of a file of 4503599627370497 bytes do not fit in the image | 1: /etc/one
inode begins in the last 32 bytes | 01-basic 0x34e0=7f01 cut=0x4ff0 | image @0x34e0: nid 383 is at 0x4fe0, the image ends at 0x4ff0 | 1: /etc/one
inode crosses the end            | 01-basic 0x4fe0=0900 0x4fe4=a481 0x34e0=7f01 | image @0x4fe0: 64 bytes wanted here, but the image ends at 0x5000 | 1: /etc/one
xattrs cross the end             | 01-basic 0x37a2=ffff | image @0x37a0: directory inode of 262239 bytes at 0x37a0 does not end inside the image, at 0x5000 | 1: /tmp
xattrs and chunks cross the end  | 01-basic 0x3742=ffff | image @0x3740: 1 chunks of a file of 1 bytes do not fit in the image | 1: /etc/one
symlink of 2^32 bytes            | 01-basic 0x30cc=01 | image @0x30c0: symlink is 4294967303 bytes, want 1…4095 | 1: /lnk
symlink chunk-based              | 01-basic 0x30c0=09 | image @0x30c0: symlink is chunk-based, want a flat layout | 1: /lnk
symlink without data             | 01-basic 0x30c0=01 0x30c6=ffff 0x30d0=ffffffff | image @0x30c0: symlink has no data | 1: /lnk
symlink behind the end           | 01-basic 0x30c0=01 0x30d0=28000000 | image @0x30c0: symlink of 7 bytes at 0x5000 does not end inside the image, at 0x5000 | 1: /lnk
symlink at 2^57                  | 01-basic 0x30c0=01 0x30c6=feff 0x30d0=ffffffff | image @0x30c0: symlink of 7 bytes at 0x1fffdfffffffe00 does not end inside the image, at 0x5000 | 1: /lnk
symlink over another inode       | 01-basic 0x30c0=01 0x30d0=18000000 | image @0x30c0: symlink of 7 bytes at 0x3000 overlaps other metadata, at 0x3000 | 1: /lnk
symlink tail crosses a block     | 24-erofs-tar-index 0x9e8=e1 | image @0xa20: inline tail of 481 bytes crosses a block boundary | 1: /d/symlong
directory of 0 bytes             | 01-basic 0x37a8=00 | image @0x37a0: directory is 0 bytes, want 1…2147483647 | 1: /tmp
directory of 2^31 bytes          | 01-basic 0x37a8=00000080 | image @0x37a0: directory is 2147483648 bytes, want 1…2147483647 | 1: /tmp
directory chunk-based            | 01-basic 0x37a0=09 | image @0x37a0: directory is chunk-based, want a flat layout | 1: /tmp
directory without data           | 01-basic 0x37a0=01 0x37a6=ffff 0x37b0=ffffffff | image @0x37a0: directory has no data | 1: /tmp
directory behind the end         | 01-basic 0x37a0=01 0x37b0=28000000 | image @0x37a0: directory of 27 bytes at 0x5000 does not end inside the image, at 0x5000 | 1: /tmp
directory longer than the image  | 06-bigdir 0x3080=01 0x3088=00000010 | image @0x3080: directory of 268435456 bytes at 0x3200 does not end inside the image, at 0x2f000 | 1: /big
directory over another inode     | 01-basic 0x37a0=01 0x37b0=18000000 | image @0x37a0: directory of 27 bytes at 0x3000 overlaps other metadata, at 0x3000 | 1: /tmp
directory over another directory | 20-erofs-default 0x21ce0=01 0x21cf0=28000000 | image @0x21ce0: directory of 116 bytes at 0x28000 overlaps other metadata, at 0x28000 | 1: /sub
xattrs over other inodes         | 20-erofs-default 0x21c02=ff | image @0x21c00: inode of 1097 bytes at 0x21c00 overlaps other metadata, at 0x22000 | 1: /small
many xattrs over other inodes    | 20-erofs-default 0x21c02=0010 | image @0x21c00: inode of 16461 bytes at 0x21c00 overlaps other metadata, at 0x22000 | 1: /small
directory tail crosses a block   | 01-basic 0x37a8=ff | image @0x37e0: inline tail of 255 bytes crosses a block boundary | 1: /tmp
regular tail crosses a block     | 20-erofs-default 0x21c09=0f | image @0x21c40: inline tail of 3845 bytes crosses a block boundary | 1: /small
regular data behind the end      | 20-erofs-default 0x1fe70=29 | image @0x1fe60: data ends at byte 172031, the image has 167936 | 1: /b4095
regular data at 2^57             | 20-erofs-default 0x1fe66=feff 0x1fe70=ffffffff | image @0x1fe60: data ends at byte 1152903912420802600, the image has 167936 | 1: /b4095
unknown chunk format bits        | 01-basic 0x3190=ab | image @0x3180: chunk format is 0xab, want no bits above 0x7f | 1: /bin/busybox /bin/dash /bin/sh
more chunks than the image holds | 01-basic 0x374d=01 | image @0x3740: 1048577 chunks of a file of 1099511627777 bytes do not fit in the image | 1: /etc/one
2^44 chunks                      | 01-basic 0x374e=1f 0x3750=20 | image @0x3740: 17042430230529 chunks of a file of 8725724278030337 bytes do not fit in the image | 1: /etc/one
`;

const CHUNKS = `
chunk behind the device          | 01-basic 0x31c4=3d | image @0x31c0: data ends at byte 31250 of device 1, which has 60 blocks of 512 | 1: /bin/busybox /bin/dash /bin/sh
chunk is the block after the device | 01-basic 0x3684=3c | image @0x3680: data ends at byte 31232 of device 1, which has 60 blocks of 512 | 1: /etc/b512
chunk of 2 TiB behind            | 01-basic 0x31c4=feffffff | image @0x31c0: data ends at byte 2199023254546 of device 1, which has 60 blocks of 512 | 1: /bin/busybox /bin/dash /bin/sh
chunk ends behind the device     | 04-large 0x3164=15020000 | image @0x3160: data ends at byte 1321473 of device 1, which has 2580 blocks of 512 | 1: /hl_large /m1p1
chunk ends behind the tar        | 04-large 0x3164=14020000 | image @0x3160: data ends at byte 1320961 of blob 32fae6fd523cd82ec26f05cd35aea3b5373e9b127fda62e36c740cffc67eb538, its file has 1320960 | 1: /hl_large /m1p1
chunk ends a byte behind the tar | 01-basic 0x36e4=3b | image @0x36e0: data ends at byte 30721 of blob d78eabf8367832485d7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de, its file has 30720 | 1: /etc/b513
chunk behind the image           | 22-erofs-chunk-blockmap 0x880=3b | image @0x880: data ends at byte 258048, the image has 241664 | 1: /b20000 /hl1 /sub/hl2
chunk with 48 bits behind        | 01-basic 0x3190=6b 0x31c0=0100 | image @0x31c0: data ends at byte 2199023257106 of device 1, which has 60 blocks of 512 | 1: /bin/busybox /bin/dash /bin/sh
chunk on device 0 behind         | 24-erofs-tar-index 0x5a2=00 0x5a4=ffffff | image @0x5a0: data ends at byte 8589934086, the image has 6656 | 1: /d/biguid
chunk in the unified space       | 24-erofs-tar-index 0x5a2=00 0x5a4=4d | image @0x5a0: data ends at byte 39430, the image has 6656 | 1: /d/biguid
device id too large              | 12-merged 0x456=0200 0x490=00020000 | image @0x3320: device 3, want at most 2 | 2: /dd/again /etc/hl3 /etc/three
`;

const DIRECTORIES = String.raw`
block holds no entry             | 01-basic 0x37a8=08 | image @0x37e0: directory block of 8 bytes holds no entry | 1: /tmp
no room for a name               | 01-basic 0x37a8=18 | image @0x37e0: first name is at 24 of 24, want a multiple of 12 inside the block | 1: /tmp
first name at 0                  | 01-basic 0x37e8=00 | image @0x37e0: first name is at 0 of 27, want a multiple of 12 inside the block | 1: /tmp
first name no multiple of 12     | 01-basic 0x37e8=19 | image @0x37e0: first name is at 25 of 27, want a multiple of 12 inside the block | 1: /tmp
first name behind the end        | 01-basic 0x37e8=24 | image @0x37e0: first name is at 36 of 27, want a multiple of 12 inside the block | 1: /tmp
second name before the first     | 01-basic 0x37f4=17 | image @0x37ec: name is at 23, want between 24 and 27 | 1: /tmp
second name at the first         | 01-basic 0x37f4=18 | image @0x37ec: name is at 24, want between 24 and 27 | 1: /tmp
second name behind the end       | 01-basic 0x37f4=1b | image @0x37ec: name is at 27, want between 24 and 27 | 1: /tmp
name offset 65535                | 01-basic 0x37f4=ffff | image @0x37ec: name is at 65535, want between 24 and 27 | 1: /tmp
last name is empty               | 01-basic 0x350a=00 | image @0x350a: name is 0 bytes, want 1…255 | 1: /etc
NUL in a name                    | 01-basic 0x34f1=00 | image @0x34f1: name "b4\x0096" holds a NUL | 1: /etc
slash in a name                  | 01-basic 0x34f1=2f | image @0x34f1: name "b4/96" holds a slash | 1: /etc
slash in a name not UTF-8        | 01-basic 0x34f1=2fff | image @0x34f1: name "b4/\xff6" holds a slash | 1: /etc
names out of order               | 01-basic 0x34ef=63 | image @0x34a4: name "b4097" does not sort after "c4096" | 1: /etc
name twice                       | 01-basic 0x34f8=36 | image @0x34a4: name "b4096" does not sort after "b4096" | 1: /etc
out of order over blocks         | 06-bigdir 0x3490=64 | image @0x3400: name "dntry-00012-zzzzzzzzzzzz" does not sort after "entry-00011-zzzzzzzzzzz" | 1: /big
"." names another directory      | 01-basic 0x3240=95 | image @0x3240: "." is nid 149, want 144 | 1: /bin
"." of the root                  | 01-basic 0x3040=90 | image @0x3040: "." is nid 144, want 128 | -
".." names another directory     | 01-basic 0x324c=95 | image @0x324c: ".." is nid 149, want 128 | 1: /bin
".." of the root                 | 01-basic 0x304c=90 | image @0x304c: ".." is nid 144, want 128 | -
"." is there but left out        | 01-basic 0x37a0=15 | image @0x37e0: "." is there, the inode says it is left out | 1: /tmp
no "."                           | 01-basic 0x3328=2d 0x32e0=9c 0x32ea=05 | image @0x32a0: directory has no "." | 1: /dev
no ".."                          | 01-basic 0x332a=2d 0x32ec=9c 0x32f6=05 | image @0x32a0: directory has no ".." | 1: /dev
file type 8                      | 01-basic 0x3346=00 0x3302=08 | image @0x32f8: file type is 8, want at most 7 | 1: /dev/big
file type disagrees              | 01-basic 0x34ea=02 | image @0x34e0: file type is 2, the mode of its inode (nid 186) is 0100644 | 1: /etc/one
file type of a directory         | 01-basic 0x309e=01 | image @0x3094: file type is 1, the mode of its inode (nid 189) is 041777 | 1: /tmp
nid 0                            | 01-basic 0x34e0=00 | image @0x34e0: nid is 0, which is no inode | 1: /etc/one
nid behind the end               | 01-basic 0x34e0=80 0x34e1=01 | image @0x34e0: nid 384 is at 0x5000, the image ends at 0x5000 | 1: /etc/one
nid 2^63                         | 01-basic 0x34e7=80 | image @0x34e0: nid 9223372036854776000 is at 0x100000000000000000, the image ends at 0x5000 | 1: /etc/one
cycle to the root                | 01-basic 0x34e0=80 0x34ea=02 | image @0x34e0: directory nid 128 is named twice | 1: /etc/one
cycle to itself                  | 01-basic 0x34e0=a2 0x34ea=02 | image @0x34e0: directory nid 162 is named twice | 1: /etc/one
directory with two parents       | 01-basic 0x34e0=bd 0x34ea=02 | image @0x34e0: directory nid 189 is named twice | 1: /etc/one
nid inside another inode         | 01-basic 0x34e0=bb | image @0x34e0: file type is 1, the mode of its inode (nid 187) is 00 | 1: /etc/one
`;

const XATTRS = `
header only                      | 12-merged 0x3602=01 | image @0x3640: xattr area is 12 bytes: a header and no entry | 1: /meta
shared ids do not fit            | 12-merged 0x3644=03 | image @0x3640: 3 shared xattrs do not fit in an area of 20 bytes | 1: /meta
shared id behind the end         | 12-merged 0x3644=01 0x364c=ffffffff | image @0x3640: shared xattr 4294967295 is outside the image | 1: /meta
shared entry crosses the end     | 12-merged 0x3644=02 0x364c=ff130000ff130000 0x4ffc=01010000 | image @0x4ffc: 5 bytes wanted here, but the image ends at 0x5000 | 1: /meta
name behind the area             | 12-merged 0x364c=ff | image @0x364c: xattr entry does not end inside its area, at 0x3654 | 1: /meta
value four bytes behind the area | 12-merged 0x364e=06 | image @0x364c: xattr entry does not end inside its area, at 0x3654 | 1: /meta
value behind the area            | 12-merged 0x364e=ff | image @0x364c: xattr entry does not end inside its area, at 0x3654 | 1: /meta
NUL in a name                    | 12-merged 0x3650=00 | image @0x3650: xattr name holds a NUL | 1: /meta
long prefix of 0 bytes           | 25-erofs-xattr-prefix 0x514=0000 | image @0x514: long xattr prefix 0: record of 0 bytes, want 1…255 | -
long prefix of 256 bytes         | 25-erofs-xattr-prefix 0x514=0001 | image @0x514: long xattr prefix 0: record of 256 bytes, want 1…255 | -
long prefix with a NUL           | 25-erofs-xattr-prefix 0x519=00 | image @0x514: long xattr prefix 0: it holds a NUL | -
long prefixes behind the end     | 25-erofs-xattr-prefix 0x45c=ffffffff | image @0x3fffffffc: 4 bytes wanted here, but the image ends at 0x29000 | -
long prefixes cross the end      | 25-erofs-xattr-prefix 0x45c=ffa30000 0x28ffc=0500 | image @0x28ffc: 7 bytes wanted here, but the image ends at 0x29000 | -
`;

interface Case {
  readonly name: string;
  readonly fixture: string;
  readonly scratch: () => Scratch;
  readonly want: string;
  /** undefined: a lenient open refuses, too. */
  readonly lenient: { readonly corrupt: number; readonly lost: string[] } | undefined;
}

function cases(table: string): Case[] {
  return table
    .trim()
    .split("\n")
    .map((line) => {
      const [name, spec, want, lenient] = line.split(" | ").map((s) => s.trim());
      const [base, ...changes] = spec.split(" ");
      const [corrupt, paths] = lenient.split(":");
      return {
        name,
        fixture: base,
        scratch: () => scratchOf(base, changes),
        want,
        lenient:
          lenient === "-"
            ? undefined
            : { corrupt: Number(corrupt), lost: (paths ?? "").trim().split(" ").filter(Boolean) },
      };
    });
}

function scratchOf(base: string, changes: string[]): Scratch {
  const pairs = changes.map((c) => c.split("="));
  const made = image(
    base,
    ...pairs.filter(([at]) => at !== "cut").map(([at, hex]) => [Number(at), hex] as const),
  );
  for (const [at, length] of pairs) if (at === "cut") truncateSync(made.path, Number(length));
  return made;
}

const TABLES = { SUPERBLOCK, DEVICES, RAFS, INODES, CHUNKS, DIRECTORIES, XATTRS };

describe.each(Object.entries(TABLES))("%s", (_, table) => {
  it.each(cases(table))("$name", ({ fixture: base, scratch, want, lenient }) => {
    const broken = scratch();
    expect(refusal(broken)).toBe(want);
    if (lenient === undefined) expect(refusal(broken, true)).toBe(want);
    else expectRest(base, broken, want, lenient);
  });
});

/** Opened leniently, the lost answer EUCLEAN and the rest is what it was. */
function expectRest(
  base: string,
  broken: Scratch,
  want: string,
  { corrupt, lost }: { corrupt: number; lost: string[] },
): void {
  const { fs, opened } = serve(broken.path, broken.places, true);
  expect(opened.report.corrupt).toBe(corrupt);
  expect(opened.report.problems[0].message.replaceAll(`${broken.dir}/`, "")).toBe(want);
  const answers = new Map<string, number>();
  let valid = 0;
  for (const entry of fixture(base).entries) {
    const path = pathOf(entry);
    const node = nodeAt(fs, path);
    const isLost = lost.some((p) => path.toString() === p || path.toString().startsWith(`${p}/`));
    if (isLost) answers.set(path.toString(), node);
    else {
      expect(describeNode(fs, node, path)).toEqual(entry);
      valid++;
    }
  }
  expect(new Set(answers.values())).toEqual(lost.length > 0 ? new Set([-EUCLEAN]) : new Set());
  expect(valid + answers.size).toBe(fixture(base).entries.length);
}

/** An image cut anywhere is refused, or what was cut off was not needed. */
describe("an image that is cut short is refused", () => {
  it.each(fixtureNames.filter((name) => fixture(name).entries.length > 0))("%s", (name) => {
    const { entries, path } = fixture(name);
    const size = statSync(path).size;
    let refused = 0;
    for (let i = 0; i < 64; i++) {
      const made = image(name);
      truncateSync(made.path, Math.floor((size * i) / 64) + (i % 3));
      const said = refusal(made);
      if (said !== "") refused++;
      else expect(tree(serve(made.path, made.places).fs).length).toBe(entries.length);
    }
    expect(refused).toBeGreaterThan(10);
  });
});
