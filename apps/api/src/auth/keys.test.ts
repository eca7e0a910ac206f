import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  decodeJwt,
  exportJWK,
  importPKCS8,
  jwtVerify,
  SignJWT,
} from 'jose';
import { describe, expect, test } from 'vitest';
import { expectProblem, startTestApp, testEnvironment } from '../../testing/test-app.ts';
import { ConfigError, parseConfig } from '../config/config.ts';
import { generateSigningKey, readSigningKey } from '../config/signing-key.ts';
import { createAccessTokens } from './access-token.ts';

describe.each(['EdDSA', 'ES256'] as const)('access tokens signed with %s', (algorithm) => {
  const [pem, otherPem] = [generateSigningKey(algorithm), generateSigningKey(algorithm)];
  const environment = { JWT_ALGORITHM: algorithm, JWT_PRIVATE_KEY: pem };

  test('a foreign verifier accepts the tokens with the published key set', async () => {
    const api = await startTestApp(environment);
    try {
      await api.app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = api.app.server.address() as AddressInfo;
      const { token, id } = await api.signUp();
      const keySet = createRemoteJWKSet(new URL(`http://127.0.0.1:${port}/.well-known/jwks.json`));
      const options = { issuer: 'quoin', audience: 'quoin', typ: 'at+jwt', algorithms: [algorithm] };
      const { payload, protectedHeader } = await jwtVerify(token, keySet, options);
      expect(payload.sub).toBe(id);
      expect(protectedHeader).toEqual({ alg: algorithm, typ: 'at+jwt', kid: expect.any(String) });
      expect((await api.send('GET', '/users/me', { token })).statusCode).toBe(200);

      const answer = await api.send('GET', '//.well-known/jwks.json');
      expect(answer.headers['cache-control']).toBe('public, max-age=300');
      const [jwk] = answer.json().keys;
      expect(jwk).toMatchObject({ alg: algorithm, use: 'sig', kid: protectedHeader.kid });
      expect(jwk).not.toHaveProperty('d');
      expect(await calculateJwkThumbprint(jwk)).toBe(jwk.kid);
    } finally {
      await api.close();
    }
  });

  test('a previous key still verifies tokens but signs none, and without it they are invalid', async () => {
    const before = await startTestApp(environment);
    const user = await before.signUp();
    const during = await startTestApp({ JWT_ALGORITHM: algorithm, JWT_PRIVATE_KEY: otherPem, JWT_PREVIOUS_KEYS: pem });
    const after = await startTestApp({ JWT_ALGORITHM: algorithm, JWT_PRIVATE_KEY: otherPem });
    try {
      const keys = (await during.send('GET', '//.well-known/jwks.json')).json().keys;
      expect(keys.map(({ kid }: { kid: string }) => kid)).toEqual([
        readSigningKey(otherPem).kid,
        readSigningKey(pem).kid,
      ]);
      const verify = (api: typeof before) => createAccessTokens(api.config, api.clock.now).verify(user.token);
      expect(verify(during).userId).toBe(user.id);
      expect(() => verify(after)).toThrow('The token is invalid');
      const { token } = await during.signUp();
      const kid = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
      expect(kid).toBe(readSigningKey(otherPem).kid);
    } finally {
      await Promise.all([before.close(), during.close(), after.close()]);
    }
  });

  test('a forged header is rejected: own key, other algorithm, public key as HMAC secret', async () => {
    const api = await startTestApp(environment);
    try {
      const { token } = await api.signUp();
      const claims = decodeJwt(token) as Record<string, unknown>;
      const ours = readSigningKey(pem);
      const thief = await importPKCS8(otherPem, algorithm);
      const { d: _, ...thiefPublic } = await exportJWK(await importPKCS8(otherPem, algorithm, { extractable: true }));
      const sign = (header: Record<string, unknown>, key: Parameters<SignJWT['sign']>[0] = thief) =>
        new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'at+jwt', ...header }).sign(key);
      const forgeries = [
        await sign({ kid: ours.kid }),
        await sign({ kid: ours.kid, jwk: thiefPublic }),
        await sign({ kid: ours.kid, jku: 'http://127.0.0.1:9/keys', x5u: 'http://127.0.0.1:9/cert' }),
        await sign({ kid: readSigningKey(otherPem).kid, jwk: thiefPublic }),
        await sign({ kid: '../../etc/passwd' }),
        await sign({ kid: '__proto__' }),
        await sign({}),
        await sign({ kid: ours.kid, alg: 'HS256' }, new TextEncoder().encode(ours.pem)),
        await sign({ alg: 'HS256' }, new TextEncoder().encode(api.config.secretKey)),
        `${Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid: ours.kid })).toString('base64url')}.${token.split('.')[1]}.`,
      ];
      for (const forgery of forgeries) {
        expectProblem(await api.send('GET', '/users/me', { token: forgery }), 401, 'invalid_token');
      }
      expect((await api.send('GET', '/users/me', { token })).statusCode).toBe(200);
    } finally {
      await api.close();
    }
  });
});

test('the key set is empty with HS256', async () => {
  const api = await startTestApp();
  expect((await api.send('GET', '//.well-known/jwks.json')).json()).toEqual({ keys: [] });
  await api.close();
});

describe('the configuration of keys', () => {
  const parse = (variables: NodeJS.ProcessEnv) => () => parseConfig(testEnvironment(variables));
  const pem = generateSigningKey('EdDSA');

  test('JWT_PRIVATE_KEY accepts PEM, PEM in one line, and a file name', () => {
    const directory = mkdtempSync(join(tmpdir(), 'quoin-keys-'));
    const file = join(directory, 'key.pem');
    writeFileSync(file, pem);
    for (const given of [pem, pem.replaceAll('\n', '\\n'), file]) {
      const { signingKey } = parse({ JWT_ALGORITHM: 'EdDSA', JWT_PRIVATE_KEY: given })();
      expect(signingKey?.kid).toBe(readSigningKey(pem).kid);
    }
    rmSync(directory, { recursive: true });
  });

  test.each<[string, NodeJS.ProcessEnv, string]>([
    ['a missing key', { JWT_ALGORITHM: 'EdDSA' }, 'JWT_PRIVATE_KEY is required with JWT_ALGORITHM=EdDSA'],
    [
      'a key for another algorithm',
      { JWT_ALGORITHM: 'ES256', JWT_PRIVATE_KEY: pem },
      'JWT_PRIVATE_KEY is a key for EdDSA, not ES256',
    ],
    ['a key beside HS256', { JWT_PRIVATE_KEY: pem }, 'need JWT_ALGORITHM=EdDSA or ES256'],
    [
      'a file that is not there',
      { JWT_ALGORITHM: 'EdDSA', JWT_PRIVATE_KEY: '/nothing.pem' },
      'JWT_PRIVATE_KEY is neither a key',
    ],
    [
      'a malformed key',
      { JWT_ALGORITHM: 'EdDSA', JWT_PRIVATE_KEY: '-----BEGIN x' },
      'JWT_PRIVATE_KEY is not a private key',
    ],
    [
      'an RSA key',
      {
        JWT_ALGORITHM: 'ES256',
        JWT_PRIVATE_KEY: generateKeyPairSync('rsa', { modulusLength: 2048 })
          .privateKey.export({ type: 'pkcs8', format: 'pem' })
          .toString(),
      },
      'JWT_PRIVATE_KEY is neither an Ed25519 nor a P-256 key',
    ],
    [
      'a bad previous key',
      { JWT_ALGORITHM: 'EdDSA', JWT_PRIVATE_KEY: pem, JWT_PREVIOUS_KEYS: 'x' },
      'JWT_PREVIOUS_KEYS is neither',
    ],
  ])('the configuration rejects %s', (_, variables, message) => {
    expect(parse(variables)).toThrow(ConfigError);
    expect(parse(variables)).toThrow(message);
  });
});
