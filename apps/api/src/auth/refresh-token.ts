import { hash, hkdfSync, timingSafeEqual } from 'node:crypto';
import { hmacSha256 } from '../http/hmac.ts';

// Refresh tokens: base64url(session id | generation | the server's seal | the session's seal). The server's is an HMAC-SHA-256 of the id and
// the generation under a key derived from its secret (HKDF, RFC 5869), and is checked before the database is asked anything. The session's
// is SHA-256(token_secret | id | generation), which the database can compute, so that checking it and moving on to the next generation are
// one statement. A stolen table lacks the first, a stolen secret the second. Each has 128 bits (docs/decisions/009-refresh-in-one-statement.md).

const idBytes = 16;
const generationBytes = 4;
const payloadBytes = idBytes + generationBytes;
const sealBytes = 16;
const length = payloadBytes + 2 * sealBytes;

/** A token that this server has made for a session. The database checks the session's seal. */
export interface RefreshToken {
  sessionId: string;
  generation: number;
  /** The session's seal: the first 16 bytes of SHA-256(token_secret | id | generation). */
  seal: Buffer;
}

/** Makes refresh tokens, and takes them apart. Both are cheap, so that a token can be computed again and need not be kept. */
export function createRefreshTokens(secretKey: string) {
  const mac = hmacSha256(Buffer.from(hkdfSync('sha256', secretKey, '', 'quoin refresh token', 32)));
  const serverSeal = (payload: Uint8Array) => mac(payload).subarray(0, sealBytes);
  const sessionSeal = (payload: Uint8Array, tokenSecret: Uint8Array) =>
    hash('sha256', Buffer.concat([tokenSecret, payload]), 'buffer').subarray(0, sealBytes);

  return {
    make: (sessionId: string, generation: number, tokenSecret: Uint8Array): string => {
      const payload = Buffer.alloc(payloadBytes);
      payload.write(sessionId.replaceAll('-', ''), 'hex');
      payload.writeUInt32BE(generation, idBytes);
      return Buffer.concat([payload, serverSeal(payload), sessionSeal(payload, tokenSecret)]).toString('base64url');
    },

    /** Undefined where the text is nothing that this server has made. */
    parse: (token: string): RefreshToken | undefined => {
      const bytes = decode(token);
      if (!bytes) return undefined;
      const payload = bytes.subarray(0, payloadBytes);
      const seal = bytes.subarray(payloadBytes + sealBytes);
      if (!timingSafeEqual(bytes.subarray(payloadBytes, payloadBytes + sealBytes), serverSeal(payload)))
        return undefined;
      return {
        sessionId: readSessionId(bytes),
        generation: payload.readUInt32BE(idBytes),
        seal,
      };
    },
  };
}

function decode(token: string): Buffer | undefined {
  const bytes = Buffer.from(token, 'base64url');
  return bytes.length === length && bytes.toString('base64url') === token ? bytes : undefined;
}

const readSessionId = (bytes: Buffer) =>
  bytes.toString('hex', 0, idBytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

export type RefreshTokens = ReturnType<typeof createRefreshTokens>;
