import { randomUUID } from 'node:crypto';
import type { AuthenticationMethod } from '@quoin/db';
import { type Algorithm, createSigner, createVerifier } from 'fast-jwt';
import type { Config } from '../config/config.ts';
import type { PublicJwk } from '../config/signing-key.ts';
import { Problem, sessionEnded } from '../http/errors.ts';

// Access tokens: JWTs by RFC 9068 (`typ: at+jwt`), with the user (`sub`), the session (`sid`) and its generation (`gen`). `amr` and `auth_time` tell other services
// how and when the user signed in; this server reads both from the session.

export interface AccessTokenClaims {
  userId: string;
  sessionId: string;
  /** Generation of the refresh token that came with it. Its use shows that the response arrived. */
  generation: number;
}

interface NewAccessToken extends AccessTokenClaims {
  methods: readonly AuthenticationMethod[];
  authenticatedAt: Date;
}

interface Verified extends AccessTokenClaims {
  /** Seconds since 1970. */
  exp: number;
}

const verifiedMax = 10_000;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Signs and verifies access tokens. */
export function createAccessTokens(
  config: Pick<
    Config,
    'secretKey' | 'signingKey' | 'previousKeys' | 'jwtIssuer' | 'jwtAudience' | 'accessTokenSeconds'
  >,
  clock: () => Date,
) {
  const { secretKey, signingKey, previousKeys, jwtIssuer, jwtAudience } = config;
  const expiresInSeconds = Math.round(config.accessTokenSeconds);
  const nowSeconds = () => Math.floor(clock().getTime() / 1000);

  const algorithm: Algorithm = signingKey?.algorithm ?? 'HS256';
  const signer = createSigner({
    key: signingKey?.privatePem ?? secretKey,
    algorithm,
    ...(signingKey && { kid: signingKey.kid }),
    header: { alg: algorithm, typ: 'at+jwt' },
  });

  // Each key has one algorithm, whatever the header of a token says (RFC 8725, 3.1).
  const verifierOf = (key: string, keyAlgorithm: Algorithm) =>
    createVerifier({
      key,
      algorithms: [keyAlgorithm],
      allowedIss: jwtIssuer,
      allowedAud: jwtAudience,
      checkTyp: 'at+jwt',
      requiredClaims: ['iss', 'aud', 'sub', 'sid', 'exp', 'iat'],
      ignoreExpiration: true,
    });
  // Cache of verified tokens. Expiry is checked on every use, so that caching does not extend it.
  const verified = createCache<Verified>(verifiedMax);
  const keys = signingKey ? [signingKey, ...previousKeys] : [];
  const byKid = new Map(keys.map((key) => [key.kid, verifierOf(key.pem, key.algorithm)]));
  const bySecret = signingKey ? undefined : verifierOf(secretKey, 'HS256');

  return {
    expiresInSeconds,

    /** The public keys, the current one first; empty with a shared secret. */
    publicKeys: keys.map(({ jwk }): PublicJwk => jwk),

    sign: ({ userId, sessionId, generation, methods, authenticatedAt }: NewAccessToken): string => {
      const iat = nowSeconds();
      return signer({
        iss: jwtIssuer,
        aud: jwtAudience,
        sub: userId,
        client_id: jwtAudience,
        sid: sessionId,
        gen: generation,
        amr: methods,
        auth_time: Math.floor(authenticatedAt.getTime() / 1000),
        jti: randomUUID(),
        iat,
        exp: iat + expiresInSeconds,
      });
    },

    /** @throws Problem `invalid_token`; `expired_token` for an expired token of this server */
    verify: (token: string): AccessTokenClaims => {
      const known = verified.get(token) ?? parse(token);
      if (known.exp <= nowSeconds()) throw new Problem('expired_token', 'The access token has expired. Refresh it.');
      return known;
    },
  };

  function parse(token: string): Verified {
    const { sub, sid, exp, gen = 0 } = verifiedClaims(token);
    if (typeof exp !== 'number' || !Number.isInteger(gen) || !uuid.test(sub) || !uuid.test(sid)) throw sessionEnded();
    const claims = { userId: sub, sessionId: sid, exp, generation: gen };
    verified.set(token, claims);
    return claims;
  }

  function verifiedClaims(token: string) {
    try {
      const verifier = bySecret ?? byKid.get(kidOf(token));
      if (!verifier) throw new Error('unknown kid');
      return verifier(token);
    } catch (cause) {
      throw sessionEnded(cause);
    }
  }
}

/**
 * Cache of the most recently used entries, between half of `max` and `max`. Two maps: when the younger is full, the older is dropped. This approximates LRU at the
 * cost of one lookup.
 */
function createCache<Value>(max: number) {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  const set = (key: string, value: Value) => {
    if (young.size >= max / 2) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  };
  return {
    set,
    get: (key: string): Value | undefined => {
      const value = young.get(key);
      if (value !== undefined) return value;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
  };
}

export type AccessTokens = ReturnType<typeof createAccessTokens>;

/** Returns the key id of a token. Ignores the rest of its header (`jku`, `x5u`, `jwk`). */
function kidOf(token: string): string {
  const header = token.slice(0, token.indexOf('.'));
  return JSON.parse(Buffer.from(header, 'base64url').toString()).kid;
}
