import { hash } from 'node:crypto';

const blockBytes = 64;

/**
 * HMAC-SHA-256 (RFC 2104) with one key, of which 32 bytes are enough. Two hashes in one call each: `createHmac` makes objects for every
 * message that take five times as long, and are left to the garbage collector.
 *
 * @param key at most 64 bytes
 */
export function hmacSha256(key: Uint8Array): (message: Uint8Array) => Buffer {
  if (key.length > blockBytes) throw new Error('the key of an HMAC is longer than a block');
  const padded = (byte: number) => Buffer.alloc(blockBytes).map((_, index) => (key[index] ?? 0) ^ byte);
  const [inner, outer] = [padded(0x36), padded(0x5c)];
  const sha256 = (...parts: Uint8Array[]) => hash('sha256', Buffer.concat(parts), 'buffer');
  return (message) => sha256(outer, sha256(inner, message));
}
