import type { ClientAuth, Configuration, DiscoveryRequestOptions, IDToken } from 'openid-client';
import { isLoopback, type ProviderConfig } from '../config/providers.ts';
import { Problem } from '../http/errors.ts';
import { boundedFetch } from './bounded-fetch.ts';
import { githubMetadata, githubProfile, withErrorStatus } from './github.ts';
import { type Profile, profileOf } from './profile.ts';

const timeoutSeconds = 5;
const loggedLengthMax = 200;
/** How long the metadata of a provider is used. */
const discoveredMs = 3_600_000;
/** Time after a failed discovery in which requests fail at once. */
const failedMs = 10_000;

/** What an attempt to sign in needs from its start to its end. */
export interface Attempt {
  redirect_uri: string;
  state: string;
  nonce: string;
  /** PKCE (RFC 7636), between this server and the provider. */
  code_verifier: string;
}

export type Provider = ReturnType<typeof createProvider>;

/** A provider, with the code flow: PKCE, `state` and `nonce` always. The library is loaded when it is first used. */
export function createProvider(config: ProviderConfig, clock: () => Date) {
  const configuration = createConfigurationCache(config, clock);

  return {
    ...config,

    /** Returns the page of the provider where the user signs in. @throws Problem `provider_unavailable` */
    authorizationUrl: async ({ redirect_uri, state, nonce, code_verifier }: Attempt): Promise<string> => {
      const client = await import('openid-client');
      const known = await configuration().catch((cause) => {
        throw new Problem('provider_unavailable', `${config.name} does not answer. Sign in another way.`, { cause });
      });
      return client.buildAuthorizationUrl(known, {
        redirect_uri,
        scope: config.scopes,
        state,
        ...(!config.isGitHub && { nonce }),
        code_challenge: await client.calculatePKCECodeChallenge(code_verifier),
        code_challenge_method: 'S256',
      }).href;
    },

    /**
     * Exchanges the answer of the provider for the profile of the user. The tokens of the provider are not kept.
     *
     * @param search the query of the callback, with `?`
     * @throws what the library throws; see `outcomeOf`
     */
    finish: async (search: string, { redirect_uri, state, nonce, code_verifier }: Attempt): Promise<Profile> => {
      const client = await import('openid-client');
      const known = await configuration();
      const url = new URL(redirect_uri);
      url.search = search;
      const checks = { expectedState: state, pkceCodeVerifier: code_verifier };
      if (config.isGitHub) {
        const { access_token } = await client.authorizationCodeGrant(known, url, checks);
        return githubProfile(config, known, access_token);
      }
      const tokens = await client.authorizationCodeGrant(known, url, {
        ...checks,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims() as IDToken;
      requireTenant(claims, known.serverMetadata().issuer);
      // With the code flow, the claims of the scopes may come from the UserInfo endpoint only (OpenID Connect Core, 5.4).
      const isComplete = typeof claims.email === 'string' || !known.serverMetadata().userinfo_endpoint;
      const info = isComplete ? {} : await client.fetchUserInfo(known, tokens.access_token, claims.sub);
      const { email, email_verified, name } = { ...info, ...claims } as Record<string, unknown>;
      return profileOf({ issuer: claims.iss, subject: claims.sub, email, email_verified, name });
    },
  };
}

/** Discovers the metadata of a provider once for concurrent requests, and again after an hour. */
function createConfigurationCache(config: ProviderConfig, clock: () => Date): () => Promise<Configuration> {
  let current: { configuration: Promise<Configuration>; until: number } | undefined;
  return () => {
    const now = clock().getTime();
    if (!current || current.until <= now) {
      const entry = { configuration: configure(config), until: now + discoveredMs };
      entry.configuration.catch(() => {
        entry.until = clock().getTime() + failedMs;
      });
      current = entry;
    }
    return current.configuration;
  };
}

async function configure(config: ProviderConfig): Promise<Configuration> {
  const client = await import('openid-client');
  const { issuer, clientId, clientSecret, isGitHub } = config;
  if (isGitHub) {
    const metadata = githubMetadata(config);
    const known = new client.Configuration(metadata, clientId, clientSecret, client.ClientSecretPost(clientSecret));
    known.timeout = timeoutSeconds;
    known[client.customFetch] = async (url, options) => {
      const response = await boundedFetch(url, options as RequestInit);
      return url === metadata.token_endpoint ? withErrorStatus(response) : response;
    };
    if (isLoopback(issuer)) client.allowInsecureRequests(known);
    return known;
  }
  const options: DiscoveryRequestOptions = {
    timeout: timeoutSeconds,
    [client.customFetch]: (url, request) => boundedFetch(url, request as RequestInit),
    // Without the first, the library trusts the connection and does not verify the signatures of ID tokens (OpenID Connect Core, 3.1.3.7).
    execute: [client.enableNonRepudiationChecks, ...(isLoopback(issuer) ? [client.allowInsecureRequests] : [])],
  };
  const [basic, post] = [client.ClientSecretBasic(clientSecret), client.ClientSecretPost(clientSecret)];
  // Basic, unless the provider says that it does not support it (OpenID Connect Discovery, 3).
  const authentication: ClientAuth = (server, ...rest) =>
    (server.token_endpoint_auth_methods_supported?.includes('client_secret_basic') === false ? post : basic)(
      server,
      ...rest,
    );
  return client.discovery(new URL(issuer), clientId, undefined, authentication, options);
}

/** For the issuer of all tenants of Microsoft Entra, the library does not require `tid`. */
function requireTenant({ iss, tid }: IDToken, issuer: string): void {
  if (iss === issuer) return;
  if (typeof tid !== 'string' || !iss.split('/').includes(tid)) throw new Error('the ID token names no tenant');
}

/** Returns what to tell the front end of a failed attempt, and what to log: short texts, and no bodies, which can contain tokens. */
export function outcomeOf(error: unknown): {
  code: 'access_denied' | 'provider_unavailable' | 'sign_in_failed';
  log: object;
} {
  const { code, name, error: oauthError, status, message, cause } = (error ?? {}) as Record<string, unknown>;
  const network = (cause as { code?: unknown } | undefined)?.code;
  // The provider refused the client id or secret.
  const challenge = (cause as { parameters?: { error?: unknown } }[] | undefined)?.[0]?.parameters?.error;
  const short = (value: unknown) => (typeof value === 'string' ? value.slice(0, loggedLengthMax) : value);
  const log = {
    error_name: name,
    error_code: code ?? network,
    oauth_error: short(oauthError ?? challenge),
    message: short(message),
  };
  if (oauthError === 'access_denied') return { code: 'access_denied', log };
  const isDown =
    (name === 'TypeError' && /^(fetch failed|the (answer of the )?provider )/.test(String(message))) ||
    code === 'OAUTH_TIMEOUT' ||
    code === 'OAUTH_RESPONSE_IS_NOT_CONFORM' ||
    code === 'OAUTH_RESPONSE_IS_NOT_JSON' ||
    (typeof status === 'number' && status >= 500);
  return { code: isDown ? 'provider_unavailable' : 'sign_in_failed', log };
}
