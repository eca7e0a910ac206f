import type { Configuration } from 'openid-client';
import type { ProviderConfig } from '../config/providers.ts';
import { type Profile, profileOf } from './profile.ts';

// GitHub has OAuth 2 without OpenID Connect: no ID token, and the verified address comes from its API
// (https://docs.github.com/en/rest/users/emails).

/** `issuer` is the site: https://github.com, or a GitHub Enterprise Server. */
export const githubMetadata = ({ issuer }: Pick<ProviderConfig, 'issuer'>) => ({
  // What GitHub sends as `iss` (RFC 9207).
  issuer: `${issuer}/login/oauth`,
  authorization_endpoint: `${issuer}/login/oauth/authorize`,
  token_endpoint: `${issuer}/login/oauth/access_token`,
});

const apiOf = (issuer: string) => (issuer === 'https://github.com' ? 'https://api.github.com' : `${issuer}/api/v3`);

interface Address {
  email: string;
  primary: boolean;
  verified: boolean;
}

/** Reads the account and its primary address, if GitHub has verified it. */
export async function githubProfile(
  { issuer }: Pick<ProviderConfig, 'issuer'>,
  configuration: Configuration,
  accessToken: string,
): Promise<Profile> {
  const { fetchProtectedResource } = await import('openid-client');
  const get = async (path: string): Promise<unknown> => {
    const url = new URL(`${apiOf(issuer)}${path}`);
    const headers = new Headers({ accept: 'application/vnd.github+json' });
    const response = await fetchProtectedResource(configuration, accessToken, url, 'GET', null, headers);
    if (!response.ok) throw new Error(`the API of GitHub answered ${response.status} to ${path}`);
    return response.json();
  };
  const user = (await get('/user')) as { id: number; name: unknown };
  const addresses = (await get('/user/emails')) as Address[];
  const primary = addresses.find((one) => one.primary && one.verified);
  return profileOf({
    issuer: githubMetadata({ issuer }).issuer,
    // The login can be renamed and given to somebody else. The id stays.
    subject: Number.isSafeInteger(user.id) ? String(user.id) : undefined,
    email: primary?.email,
    email_verified: primary?.verified,
    name: user.name,
  });
}

/** GitHub answers errors with status 200. Gives them the status 400, by which clients recognize them (RFC 6749, 5.2). */
export async function withErrorStatus(response: Response): Promise<Response> {
  const text = await response.text();
  const isError = response.status === 200 && /^\s*\{\s*"error"/.test(text);
  return new Response(text || null, { status: isError ? 400 : response.status, headers: response.headers });
}
