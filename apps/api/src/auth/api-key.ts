import { hash, randomBytes } from 'node:crypto';
import { bytesOf, idBytes, uuidOf } from '../http/uuid-bytes.ts';

// An API key is `quoin_k1_` and base64url(user id | key id | secret | checksum): 92 characters without padding, so each key has one spelling. The secret has 256 random bits.
// The checksum is the beginning of SHA-256 of what precedes it: mistyped keys are refused without the database, and secret scanners can tell a key from other text, as with
// GitHub's tokens (https://github.blog/engineering/behind-githubs-new-authentication-token-formats/).

export const apiKeyPrefix = 'quoin_k1_';
const secretBytes = 32;
const checksumBytes = 5;
const payloadBytes = 2 * idBytes + secretBytes;
const form = /^quoin_k1_[\w-]{92}$/;

/** The key that a request presents. */
export interface PresentedApiKey {
  userId: string;
  apiKeyId: string;
  /** SHA-256 of the secret. */
  secretHash: Buffer;
}

export const newApiKeySecret = (): Buffer => randomBytes(secretBytes);

export const hashOfApiKeySecret = (secret: Uint8Array): Buffer => hash('sha256', secret, 'buffer');

const checksumOf = (payload: Uint8Array) =>
  hash('sha256', Buffer.concat([Buffer.from(apiKeyPrefix), payload]), 'buffer').subarray(0, checksumBytes);

/** Returns the key as its owner sends it. */
export function formatApiKey({ userId, id, secret }: { userId: string; id: string; secret: Uint8Array }): string {
  const payload = Buffer.concat([bytesOf(userId), bytesOf(id), secret], payloadBytes);
  return apiKeyPrefix + Buffer.concat([payload, checksumOf(payload)]).toString('base64url');
}

/** Whether a bearer token is meant as an API key. */
export const isApiKey = (token: string): boolean => token.startsWith(apiKeyPrefix);

/** Returns undefined for a text that cannot be a key: wrong form or checksum. */
export function parseApiKey(text: string): PresentedApiKey | undefined {
  if (!form.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(apiKeyPrefix.length), 'base64url');
  const payload = bytes.subarray(0, payloadBytes);
  if (!checksumOf(payload).equals(bytes.subarray(payloadBytes))) return undefined;
  return {
    userId: uuidOf(payload.subarray(0, idBytes)),
    apiKeyId: uuidOf(payload.subarray(idBytes, 2 * idBytes)),
    secretHash: hashOfApiKeySecret(payload.subarray(2 * idBytes)),
  };
}
