import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { AuthenticationMethod } from '@quoin/db';
import { deriveKey } from '../http/derive-key.ts';
import { bytesOf, idBytes, uuidOf } from '../http/uuid-bytes.ts';

// A refresh token is base64url(user id | session id | generation | server seal | session seal); each seal has 128 bits (docs/decisions/009).
//
// - The server seal is an HMAC-SHA-256 of the ids and the generation, with a key derived from SECRET_KEY (HKDF, RFC 5869). It is checked before
//   the database is asked. Without SECRET_KEY, a stolen table yields no tokens.
// - The session seal is SHA-256(token_secret | session id | generation). The database can compute it, so that checking and rotating a token is one
//   statement. Without the table, a stolen SECRET_KEY yields no tokens.

const generationBytes = 4;
const payloadBytes = 2 * idBytes + generationBytes;
const sealBytes = 16;
const tokenBytes = payloadBytes + 2 * sealBytes;

/** The columns of a session from which its tokens are computed. */
export interface SessionKeys {
  id: string;
  user_id: string;
  generation: number;
  token_secret: Uint8Array;
  methods: AuthenticationMethod[];
  /** When the user last proved who they are. */
  authenticated_at: Date;
}

/** A token with a valid server seal. The database checks the session seal. */
export interface RefreshToken {
  userId: string;
  sessionId: string;
  generation: number;
  /** The session seal. */
  seal: Buffer;
}

/**
 * Creates and parses refresh tokens, or the values of session cookies, which have the same form and another key. A token can be computed again, so none is stored.
 */
export function createRefreshTokens(secretKey: string, use: 'refresh token' | 'session cookie' = 'refresh token') {
  const key = deriveKey(secretKey, use);
  const serverSeal = (payload: Uint8Array) => createHmac('sha256', key).update(payload).digest().subarray(0, sealBytes);
  const sessionSeal = (payload: Uint8Array, tokenSecret: Uint8Array) =>
    hash('sha256', Buffer.concat([tokenSecret, payload.subarray(idBytes)]), 'buffer').subarray(0, sealBytes);

  return {
    create: ({ id, user_id, generation, token_secret }: Omit<SessionKeys, 'methods' | 'authenticated_at'>): string => {
      const payload = Buffer.concat([bytesOf(user_id), bytesOf(id)], payloadBytes);
      payload.writeUInt32BE(generation, 2 * idBytes);
      return Buffer.concat([payload, serverSeal(payload), sessionSeal(payload, token_secret)]).toString('base64url');
    },

    /** Whether the session seal of a token is that of the session. The database checks it for refresh tokens. */
    isSealOf: ({ sessionId, generation, seal }: RefreshToken, tokenSecret: Uint8Array): boolean => {
      const payload = Buffer.concat([Buffer.alloc(idBytes), bytesOf(sessionId)], payloadBytes);
      payload.writeUInt32BE(generation, 2 * idBytes);
      return timingSafeEqual(seal, sessionSeal(payload, tokenSecret));
    },

    /** Returns undefined unless this server created the token. */
    parse: (token: string): RefreshToken | undefined => {
      const bytes = Buffer.from(token, 'base64url');
      if (bytes.length !== tokenBytes || bytes.toString('base64url') !== token) return undefined;
      const payload = bytes.subarray(0, payloadBytes);
      const [ownSeal, seal] = [
        bytes.subarray(payloadBytes, payloadBytes + sealBytes),
        bytes.subarray(payloadBytes + sealBytes),
      ];
      if (!timingSafeEqual(ownSeal, serverSeal(payload))) return undefined;
      return {
        userId: uuidOf(payload.subarray(0, idBytes)),
        sessionId: uuidOf(payload.subarray(idBytes)),
        generation: payload.readUInt32BE(2 * idBytes),
        seal,
      };
    },
  };
}

export type RefreshTokens = ReturnType<typeof createRefreshTokens>;
