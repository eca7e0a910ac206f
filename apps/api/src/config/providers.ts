import type { Readers } from './variables.ts';

/** A sign-in provider: OpenID Connect, or GitHub. */
export interface ProviderConfig {
  /** In paths, and in the names of its variables. */
  id: string;
  /** For people. */
  name: string;
  isGitHub: boolean;
  /** URL of the provider, whose metadata is discovered from it. For GitHub, the URL of the site. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Separated by spaces. */
  scopes: string;
  /** Whether an address that the provider has verified counts as verified here. */
  trustsEmail: boolean;
}

const github = 'github';
/** Issuers of Microsoft that admit accounts of all organizations, or all personal accounts. The admins of an organization choose the addresses of its accounts. */
const anyTenant = ['common', 'organizations', 'consumers'];

function admitsAnyTenant(issuer: string): boolean {
  const { hostname = '', pathname = '' } = URL.parse(issuer) ?? {};
  const [tenant = ''] = pathname.split('/').filter(Boolean);
  return /(^|\.)(microsoftonline\.\w+|windows\.net)$/.test(hostname) && anyTenant.includes(tenant.toLowerCase());
}

const loopback = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(\/[^\s?#]*)?$/;
const issuerUrl = new RegExp(`^https://[^\\s?#]+$|${loopback.source}`);
/** Whether the address of a server is on this machine, where plain HTTP is safe. */
export const isLoopback = (url: string): boolean => loopback.test(url);

/** Reads OIDC_PROVIDERS and the variables of each provider. */
export function providers(read: Readers, environment: string, problems: string[]): ProviderConfig[] {
  const ids = read.list(
    'OIDC_PROVIDERS',
    (id) => /^[a-z][a-z\d-]{0,49}$/.test(id),
    'names of lower-case letters, digits and -, separated by commas',
  );
  if (environment === 'production' && ids.length > 0 && !(read.isGiven('PUBLIC_URL') && read.isGiven('APP_URL')))
    problems.push(
      'PUBLIC_URL and APP_URL are required with OIDC_PROVIDERS in production: providers send browsers to the first, and this server to the second',
    );
  return ids.map((id) => {
    const isGitHub = id === github;
    const prefix = `OIDC_${id.toUpperCase().replaceAll('-', '_')}_`;
    const issuer = read.matching(
      `${prefix}ISSUER`,
      isGitHub ? 'https://github.com' : '',
      issuerUrl,
      'the https:// URL of the provider; http:// is for this machine only',
    );
    const clientId = read.text(`${prefix}CLIENT_ID`, '');
    const clientSecret = read.text(`${prefix}CLIENT_SECRET`, '');
    for (const [name, value] of Object.entries({ ISSUER: issuer, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret }))
      if (!value && !read.isGiven(`${prefix}${name}`))
        problems.push(`${prefix}${name} is required, because OIDC_PROVIDERS names ${id}`);
    const trustsEmail = read.boolean(`${prefix}TRUST_EMAIL`, false);
    if (trustsEmail && admitsAnyTenant(issuer))
      problems.push(
        `${prefix}TRUST_EMAIL must be false with this issuer: it admits every organization, and their admins can give an account any address`,
      );
    return {
      id,
      name: read.text(`${prefix}NAME`, isGitHub ? 'GitHub' : nameOf(id)),
      isGitHub,
      issuer: isGitHub ? issuer.replace(/\/+$/, '') : issuer,
      clientId,
      clientSecret,
      scopes: read.text(`${prefix}SCOPES`, isGitHub ? 'read:user user:email' : 'openid email profile'),
      trustsEmail,
    };
  });
}

const nameOf = (id: string) => id.charAt(0).toUpperCase() + id.slice(1);
