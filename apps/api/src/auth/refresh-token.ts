import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

// Refresh tokens: base64url(session id | generation | HMAC-SHA-256(key, session id | generation)), where the key is derived (HKDF,
// RFC 5869) from the server's secret and the session's token_secret. A stolen table forges nothing, and neither does a stolen secret.

const idBytes = 16;
const generationBytes = 4;
const macBytes = 32;
const length = idBytes + generationBytes + macBytes;

export interface RefreshToken {
  sessionId: string;
  generation: number;
  /** Whether the server has made this token for the session with this secret. */
  isGenuine(tokenSecret: Uint8Array): boolean;
}

/** Makes refresh tokens, and takes them apart. Both are cheap, so that a token can be computed again and need not be kept. */
export function createRefreshTokens(secretKey: string) {
  const mac = (payload: Buffer, tokenSecret: Uint8Array) => {
    const key = Buffer.from(hkdfSync('sha256', secretKey, tokenSecret, 'quoin refresh token', 32));
    return createHmac('sha256', key).update(payload).digest();
  };

  return {
    make: (sessionId: string, generation: number, tokenSecret: Uint8Array): string => {
      const payload = Buffer.alloc(idBytes + generationBytes);
      payload.write(sessionId.replaceAll('-', ''), 'hex');
      payload.writeUInt32BE(generation, idBytes);
      return Buffer.concat([payload, mac(payload, tokenSecret)]).toString('base64url');
    },

    /** Undefined where the text is no refresh token at all. What it says is not to be believed before `isGenuine`. */
    parse: (token: string): RefreshToken | undefined => {
      const bytes = decode(token);
      if (!bytes) return undefined;
      const payload = bytes.subarray(0, idBytes + generationBytes);
      return {
        sessionId: readSessionId(bytes),
        generation: payload.readUInt32BE(idBytes),
        isGenuine: (tokenSecret) => timingSafeEqual(bytes.subarray(payload.length), mac(payload, tokenSecret)),
      };
    },
  };
}

/** The session that a text says it is a token of. Anybody can write that. */
export function sessionIdOf(token: string): string | undefined {
  const bytes = decode(token);
  return bytes && readSessionId(bytes);
}

function decode(token: string): Buffer | undefined {
  const bytes = Buffer.from(token, 'base64url');
  return bytes.length === length && bytes.toString('base64url') === token ? bytes : undefined;
}

const readSessionId = (bytes: Buffer) =>
  bytes.toString('hex', 0, idBytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

export type RefreshTokens = ReturnType<typeof createRefreshTokens>;
