import { randomUUID } from 'node:crypto';
import { createSigner, createVerifier } from 'fast-jwt';
import type { Config } from '../config.ts';
import { Problem } from '../errors.ts';

// Access tokens: JWTs as RFC 9068 has them (`typ: at+jwt`), naming the user (`sub`) and the session (`sid`).

export interface AccessTokenClaims {
  userId: string;
  sessionId: string;
}

const verifiedMax = 10_000;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Makes access tokens, and takes them apart. */
export function createAccessTokens(
  config: Pick<Config, 'secretKey' | 'jwtAlgorithm' | 'jwtIssuer' | 'jwtAudience' | 'accessTokenSeconds'>,
  clock: () => Date,
) {
  const { secretKey, jwtAlgorithm, jwtIssuer, jwtAudience } = config;
  const expiresInSeconds = Math.round(config.accessTokenSeconds);
  const nowSeconds = () => Math.floor(clock().getTime() / 1000);

  const signer = createSigner({
    key: secretKey,
    algorithm: jwtAlgorithm,
    header: { alg: jwtAlgorithm, typ: 'at+jwt' },
  });
  // Pins what a token may be, whatever its header says (RFC 8725, 3.1). It remembers tokens that it has verified; they expire by our
  // clock below, so that remembering never makes one live longer.
  const verifier = createVerifier({
    key: secretKey,
    algorithms: [jwtAlgorithm],
    allowedIss: jwtIssuer,
    allowedAud: jwtAudience,
    checkTyp: 'at+jwt',
    requiredClaims: ['iss', 'aud', 'sub', 'sid', 'exp', 'iat'],
    ignoreExpiration: true,
    cache: verifiedMax,
  });

  return {
    expiresInSeconds,

    sign: ({ userId, sessionId }: AccessTokenClaims): string => {
      const iat = nowSeconds();
      return signer({
        iss: jwtIssuer,
        aud: jwtAudience,
        sub: userId,
        client_id: jwtAudience,
        sid: sessionId,
        jti: randomUUID(),
        iat,
        exp: iat + expiresInSeconds,
      });
    },

    /** @throws Problem `invalid_token` for one that was not made here, `expired_token` for one that was */
    verify: (token: string): AccessTokenClaims => {
      const { sub, sid, exp } = parse(token);
      if (typeof exp !== 'number' || !uuid.test(sub) || !uuid.test(sid)) throw invalidToken();
      if (exp <= nowSeconds()) throw new Problem('expired_token', 'The access token has expired: refresh it.');
      return { userId: sub, sessionId: sid };
    },
  };

  function parse(token: string) {
    try {
      return verifier(token);
    } catch (cause) {
      throw invalidToken(cause);
    }
  }
}

export type AccessTokens = ReturnType<typeof createAccessTokens>;

/** For any token that is not, or no longer, good: no word about why. */
export const invalidToken = (cause?: unknown) =>
  new Problem('invalid_token', 'The token is not valid, or its session has ended.', { cause });
