import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import { expect } from 'vitest';
import type { TestApp } from './test-app.ts';

// A real OpenID Connect provider (oidc-provider) on this machine, whose answers a test can falsify, and a browser that signs in there.

export interface ProviderAccount {
  email?: string;
  email_verified?: unknown;
  name?: string;
}

export interface IdToken {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
}

const clientId = 'quoin';
const clientSecret = 'the secret of quoin at this provider';
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

export interface TestProvider {
  issuer: string;
  accounts: Record<string, ProviderAccount>;
  /** Replaces the ID token of the next answer. */
  falsify(change: (token: IdToken, sign: typeof signers) => string): void;
  /** Handles the next requests of this path instead of the provider. */
  replace(path: string, handler: ((request: IncomingMessage, response: ServerResponse) => void) | undefined): void;
  /** How many requests each path got. */
  requests: Map<string, number>;
  close(): Promise<void>;
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const { privateKey: foreignKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const signedWith =
  (key: KeyObject) =>
  ({ header, claims }: IdToken) => {
    const input = `${part(header)}.${part(claims)}`;
    return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
  };

/** Ways to sign an ID token. */
const signers = {
  right: signedWith(privateKey),
  foreign: signedWith(foreignKey),
  none: ({ header, claims }: IdToken) => `${part({ ...header, alg: 'none' })}.${part(claims)}.`,
  secret: ({ header, claims }: IdToken) => {
    const input = `${part({ ...header, alg: 'HS256' })}.${part(claims)}`;
    return `${input}.${createHmac('sha256', clientSecret).update(input).digest('base64url')}`;
  },
};

/**
 * @param redirectUri where it may send browsers
 * @param conformIdTokenClaims whether only the UserInfo endpoint has the address, as the standard says for the code flow
 */
export async function startProvider(
  redirectUris: string[],
  { conformIdTokenClaims = false }: { conformIdTokenClaims?: boolean } = {},
): Promise<TestProvider> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const accounts: Record<string, ProviderAccount> = {};
  const requests = new Map<string, number>();
  const replaced = new Map<string, (request: IncomingMessage, response: ServerResponse) => void>();
  let change: ((token: IdToken, sign: typeof signers) => string) | undefined;

  const client = (client_id: string) => ({
    client_id,
    client_secret: clientSecret,
    redirect_uris: redirectUris,
    response_types: ['code' as const],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_basic' as const,
  });
  const provider = new Provider(issuer, {
    clients: [client(clientId), client('another client')],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'right' } as never] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    pkce: { required: () => true },
    conformIdTokenClaims,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...(accounts[id] as Record<string, string>) }),
    }),
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      });
      grant.addOIDCScope([...oidc.requestParamScopes].join(' '));
      await grant.save();
      return grant;
    },
  });
  const callback = provider.callback();

  server.on('request', async (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    requests.set(path, (requests.get(path) ?? 0) + 1);
    const replacement = replaced.get(path);
    if (replacement) return replacement(request, response);
    if (path.startsWith('/interaction/')) return interact(provider, request, response);
    if (path === '/token' && change) falsified(response, change);
    await callback(request, response);
  });

  return {
    issuer,
    accounts,
    requests,
    falsify: (next) => {
      change = next;
    },
    replace: (path, handler) => {
      if (handler) replaced.set(path, handler);
      else replaced.delete(path);
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  /** Changes the ID token in the body that the provider is about to send. */
  function falsified(response: ServerResponse, next: NonNullable<typeof change>): void {
    change = undefined;
    const end = response.end.bind(response);
    response.end = ((body: string | Buffer) => {
      const answer = JSON.parse(String(body));
      const [header = {}, claims = {}] = answer.id_token
        .split('.', 2)
        .map((text: string) => JSON.parse(String(Buffer.from(text, 'base64url'))));
      const text = JSON.stringify({ ...answer, id_token: next({ header, claims }, signers) });
      response.setHeader('content-length', Buffer.byteLength(text));
      return end(text);
    }) as typeof response.end;
  }
}

/** Signs in as `login_hint` at once, or denies. Browsers, which send no hint, sign in as `browser`. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = String(params.login_hint ?? 'browser');
  const result = accountId === 'denies' ? { error: 'access_denied' } : { login: { accountId } };
  await provider.interactionFinished(request, response, result);
}

/** Follows the redirects of the provider to the callback, as the browser of this account does. Resolves to the URL of the callback. */
export async function browse(url: string, accountId: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let next = new URL(url);
  next.searchParams.set('login_hint', accountId);
  for (let step = 0; step < 10; step += 1) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(next, { redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (!location) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
    next = new URL(location, next);
    if (next.pathname.endsWith('/callback')) return next;
  }
  throw new Error('the provider redirects without end');
}

/** Returns the configuration of a provider. */
export function providerVariables(
  id: string,
  { issuer }: Pick<TestProvider, 'issuer'>,
  variables: Record<string, string> = {},
) {
  const own = { ISSUER: issuer, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret, ...variables };
  return Object.fromEntries(Object.entries(own).map(([name, value]) => [`OIDC_${id.toUpperCase()}_${name}`, value]));
}

export const newVerifier = () => {
  const code_verifier = randomBytes(32).toString('base64url');
  return { code_verifier, code_challenge: createHash('sha256').update(code_verifier).digest('base64url') };
};

interface Flow {
  provider?: string;
  /** Links the identity to the account of this session. */
  token?: string;
  return_to?: string;
  /** Changes what the browser brings back. */
  change?: (callback: URL) => void;
}

/** Signs in at a provider up to the page of the front end. Resolves to that page and the verifier. */
export async function throughProvider(
  api: TestApp,
  accountId: string,
  { provider = 'acme', token, return_to, change }: Flow = {},
) {
  const { code_verifier, code_challenge } = newVerifier();
  const path = token ? `/users/me/identities/${provider}/start` : `/auth/providers/${provider}/start`;
  const started = await api.send('POST', path, { token, body: { code_challenge, ...(return_to && { return_to }) } });
  expect([started.statusCode, started.json().code]).toEqual([200, undefined]);
  const callback = await browse(started.json().url, accountId);
  change?.(callback);
  return { ...(await returnTo(api, callback)), code_verifier, callback };
}

/** Sends the browser to the callback. Resolves to the page of the front end. */
export async function returnTo(api: TestApp, callback: URL) {
  const answer = await api.send('GET', `/${callback.pathname}${callback.search}`);
  expect(answer.statusCode).toBe(302);
  const page = new URL(String(answer.headers.location));
  return { page, code: page.searchParams.get('code') ?? '', error: page.searchParams.get('error') };
}

/** Signs in with a provider. Resolves to the answer of the exchange. */
export async function signInAt(api: TestApp, accountId: string, flow: Flow = {}) {
  const { code, code_verifier } = await throughProvider(api, accountId, flow);
  return api.send('POST', '/auth/exchange', { body: { code, code_verifier } });
}
