import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';
import { deriveKey } from '../http/derive-key.ts';

// Secrets that the server must read again, such as those of authenticator apps, are stored encrypted: key id | nonce | ciphertext | tag, with AES-256-GCM and a key
// derived from SECRET_KEY (HKDF, RFC 5869). A stolen table is useless without SECRET_KEY.

const keyIdBytes = 4;
const nonceBytes = 12;
const tagBytes = 16;

/** Encrypts and decrypts secrets. */
export interface Sealed {
  /** @param rowId the row that stores it; the result decrypts for this row only */
  seal: (secret: Uint8Array, rowId: string) => Buffer;
  /** @throws Error if no known key fits, or if it was sealed for another row */
  open: (sealed: Uint8Array, rowId: string) => Buffer;
  /** Whether it was sealed with an earlier SECRET_KEY. */
  isOutdated: (sealed: Uint8Array) => boolean;
}

/** @param previousSecretKeys only decrypt, until `npm run keys -- reseal` has encrypted everything again */
export function createSealed(secretKey: string, previousSecretKeys: readonly string[]): Sealed {
  const current = keyOf(secretKey);
  const all = [current, ...previousSecretKeys.map(keyOf)];
  const idOf = (sealed: Uint8Array) => Buffer.from(sealed).subarray(0, keyIdBytes);

  return {
    seal: (secret, rowId) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(Buffer.from(rowId));
      const text = Buffer.concat([cipher.update(secret), cipher.final()]);
      return Buffer.concat([current.id, nonce, text, cipher.getAuthTag()]);
    },
    open: (sealed, rowId) => {
      const bytes = Buffer.from(sealed);
      const known = all.find(({ id }) => id.equals(idOf(bytes)));
      if (!known) throw new Error('sealed with an unknown SECRET_KEY: set PREVIOUS_SECRET_KEYS to the earlier one');
      const nonce = bytes.subarray(keyIdBytes, keyIdBytes + nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', known.key, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(rowId))
        .setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(keyIdBytes + nonceBytes, -tagBytes)), decipher.final()]);
    },
    isOutdated: (sealed) => !current.id.equals(idOf(sealed)),
  };
}

function keyOf(secretKey: string) {
  const key = deriveKey(secretKey, 'sealed secret');
  return { key, id: hash('sha256', key.export(), 'buffer').subarray(0, keyIdBytes) };
}
