import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, OperationalError, UsageError } from "../bytes/errors.ts";
import { descriptorOf } from "../config-file/own-descriptor.ts";
import { readRegular } from "../safe-open/read-regular.ts";
import { type HashWords, isRoot, parseHashWords } from "../verity/hash-words.ts";

/** Bytes of a file that holds a line. */
const MAX_FILE = 65_536;

/** A root digest as a user gives it. */
interface VerityFlags {
  /** The digest, or a file that has it. */
  readonly verity?: string;
  /** A public key, by which that file must be signed. */
  readonly verityKey?: string;
  /** The file that the tree is in, when it is not the disk. */
  readonly verityTree?: string;
}

/**
 * @throws UsageError, OperationalError, FormatError for a root digest that cannot be had, or is not signed as it must be
 */
export function hashWords({ verity, verityKey, verityTree }: VerityFlags): HashWords | undefined {
  if (verity === undefined) return undefined;
  const words = rootWords(verity, verityKey);
  return verityTree === undefined ? words : { ...words, hashFile: resolve(verityTree) };
}

function rootWords(verity: string, verityKey: string | undefined): HashWords {
  if (isRoot(verity)) {
    if (verityKey !== undefined)
      throw new UsageError(
        "--verity-key is for a file with a signature beside it, and --verity gives the digest itself",
      );
    return parseHashWords(verity, "--verity");
  }
  const text = readSmall(verity);
  if (verityKey !== undefined) mustBeSigned(verity, text, verityKey);
  return parseHashWords(text.toString("latin1"), verity);
}

/** As `openssl dgst -sha256 -sign KEY` signs, with an RSA or EC key, or `openssl pkeyutl -sign -rawin`, with an Ed25519 one. */
function mustBeSigned(file: string, text: Buffer, keyFile: string): void {
  const signature = readSmall(`${file}.sig`);
  if (isSignedBy(readSmall(keyFile), keyFile, text, signature)) return;
  throw new OperationalError(`${file}: ${file}.sig is no signature of it by the key ${keyFile}`);
}

function isSignedBy(key: Buffer, keyFile: string, text: Buffer, signature: Buffer): boolean {
  try {
    const publicKey = createPublicKey(key);
    const digest = publicKey.asymmetricKeyType?.startsWith("ed") ? undefined : "sha256";
    return verify(digest, text, publicKey, signature);
  } catch (error) {
    throw new OperationalError(`${keyFile}: want a public key in PEM: ${messageOf(error)}`);
  }
}

/** Whoever made the image may have made it, too; what is open already is no stranger's. */
function readSmall(path: string): Buffer {
  try {
    return descriptorOf(path) === undefined ? readRegular(path, MAX_FILE) : readFileSync(path);
  } catch (error) {
    throw new OperationalError(`${path}: ${messageOf(error)}`);
  }
}
