import { readFileSync } from 'node:fs';
import type pg from 'pg';

const keepAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/**
 * Returns the configuration for `pg`. Interprets `sslmode` here, because `pg` differs from libpq and will change in version 9: `disable` is plain text,
 * `no-verify` encrypts without verifying the server, and `require`, `verify-ca` and `verify-full` verify its certificate and name (`sslrootcert` names a
 * file of CAs).
 *
 * @throws Error for a text that is not a URL, and for other modes
 */
export function parseServerUrl(url: string): pg.ClientConfig {
  const parsed = URL.parse(url);
  if (!parsed) throw new Error('DATABASE_URL is not a URL: write postgres://user:password@host:5432/database');
  const take = (name: string) => {
    const value = parsed.searchParams.get(name);
    parsed.searchParams.delete(name);
    return value;
  };
  const [mode, rootCertificate, channelBinding] = [take('sslmode'), take('sslrootcert'), take('channel_binding')];
  const config = {
    connectionString: parsed.href,
    enableChannelBinding: channelBinding !== 'disable',
    application_name: 'quoin',
    ...keepAlive,
  };
  switch (mode) {
    case null:
      return config;
    case 'disable':
      return { ...config, ssl: false };
    case 'no-verify':
      return { ...config, ssl: { rejectUnauthorized: false } };
    case 'require':
    case 'verify-ca':
    case 'verify-full': {
      const ca = rootCertificate && rootCertificate !== 'system' ? { ca: readFileSync(rootCertificate, 'utf8') } : {};
      return { ...config, ssl: { rejectUnauthorized: true, ...ca } };
    }
    default:
      throw new Error(`DATABASE_URL: sslmode=${mode} is not supported: use disable, no-verify, require or verify-full`);
  }
}
