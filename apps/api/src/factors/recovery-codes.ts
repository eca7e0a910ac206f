import { hash, randomBytes } from 'node:crypto';

// Recovery codes: 120 random bits as 24 characters of Crockford's base32, which has no letters that look like digits. They replace a lost authenticator, once each.

const codes = 10;
const codeBytes = 15;
const groupLength = 6;
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Creates new codes. */
export const newRecoveryCodes = (): string[] => Array.from({ length: codes }, () => textOf(randomBytes(codeBytes)));

function textOf(bytes: Buffer): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  const characters = Array.from(
    { length: (bytes.length * 8) / 5 },
    (_, index) => alphabet[Number((bits >> BigInt(5 * index)) & 31n)],
  ).join('');
  return characters.match(new RegExp(`.{${groupLength}}`, 'g'))?.join('-') ?? characters;
}

/** Returns the SHA-256 of a code, however it was typed: in capitals, without dashes, or with the letter O for a zero. */
export function hashOfRecoveryCode(code: string): Buffer {
  const normalized = code
    .toLowerCase()
    .replaceAll('o', '0')
    .replace(/[il]/g, '1')
    .replace(/[^0-9a-z]/g, '');
  return hash('sha256', normalized, 'buffer');
}
