import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

const keyBytes = 32;

/** Derives the key for one use from SECRET_KEY (HKDF with SHA-256, RFC 5869). A key object, because `createHmac` is slower with bytes. */
export const deriveKey = (secretKey: string, use: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, '', `quoin ${use}`, keyBytes)));
