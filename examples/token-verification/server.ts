import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pathToFileURL } from 'node:url';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';

// Another service of your product, which accepts the access tokens of Quoin. It checks them with the public keys, so it asks nobody for each request. A token is good
// until it expires, also if its session has ended since: ask Quoin (GET /api/v1/users/me) where that matters.
//
// Quoin signs with a key pair: JWT_ALGORITHM=EdDSA or ES256. API keys and cookies are for Quoin alone.
//
//   QUOIN_URL=http://127.0.0.1:8000 PORT=4000 node examples/token-verification/server.ts

interface Options {
  /** URL of Quoin. */
  quoinUrl: string;
  /** `iss` of the tokens: JWT_ISSUER of Quoin, else its PUBLIC_URL, else quoin. */
  issuer: string;
  /** JWT_AUDIENCE of Quoin. */
  audience: string;
}

export function createService({ quoinUrl, issuer, audience }: Options) {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', quoinUrl));
  const rules = { issuer, audience, typ: 'at+jwt', algorithms: ['EdDSA', 'ES256'], requiredClaims: ['sub', 'exp'] };

  /** Resolves to the claims of the caller; undefined if the token is not valid. @throws if the keys cannot be fetched */
  async function verify({ headers: { authorization = '' } }: IncomingMessage): Promise<JWTPayload | undefined> {
    const token = /^Bearer (.+)$/i.exec(authorization)?.[1] ?? '';
    try {
      return (await jwtVerify(token, keys, rules)).payload;
    } catch (error) {
      if (isBadToken(error)) return undefined;
      throw error;
    }
  }

  return createServer(async (request, response) => {
    try {
      const caller = await verify(request);
      if (!caller) return answer(response, 401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer' });
      answer(response, 200, { user_id: caller.sub });
    } catch (error) {
      console.error(error);
      answer(response, 503, { error: 'keys_unavailable' });
    }
  });
}

/** The other errors are about the keys, not the token. */
const isBadToken = (error: unknown) =>
  error instanceof errors.JWTInvalid ||
  error instanceof errors.JWSInvalid ||
  error instanceof errors.JWTExpired ||
  error instanceof errors.JWTClaimValidationFailed ||
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JOSEAlgNotAllowed ||
  error instanceof errors.JOSENotSupported;

function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(body));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const {
    QUOIN_URL = 'http://127.0.0.1:8000',
    JWT_ISSUER = 'quoin',
    JWT_AUDIENCE = 'quoin',
    PORT = '4000',
  } = process.env;
  const options = { quoinUrl: QUOIN_URL, issuer: JWT_ISSUER, audience: JWT_AUDIENCE };
  createService(options).listen(Number(PORT), '127.0.0.1');
}
