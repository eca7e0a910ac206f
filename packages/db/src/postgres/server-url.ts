import { readFileSync } from 'node:fs';
import type pg from 'pg';

/** What a session must be able to do, as in libpq. */
export type SessionKind = 'any' | 'read-write' | 'primary' | 'standby' | 'read-only';

export interface ServerUrl {
  /** One configuration per host, in the order of the URL. */
  hosts: [pg.ClientConfig, ...pg.ClientConfig[]];
  kind: SessionKind;
}

const sessionKinds: readonly string[] = [
  'any',
  'read-write',
  'primary',
  'standby',
  'read-only',
] satisfies SessionKind[];

const keepAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/**
 * Interprets a URL of libpq: one or several hosts with ports (`postgres://user:password@one:5432,two:5432/database`), and `target_session_attrs`, by
 * default `read-write`.
 *
 * Interprets `sslmode` here, because `pg` differs from libpq and will change in version 9: `disable` is plain text, `no-verify` encrypts without verifying the
 * server, and `require`, `verify-ca` and `verify-full` verify its certificate and name (`sslrootcert` names a file of CAs).
 *
 * @throws Error for a text that is not a URL, and for other modes
 */
export function parseServerUrl(url: string, kindDefault: SessionKind = 'read-write'): ServerUrl {
  const [, start = '', hosts = '', rest = ''] = /^([^/]*\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/s.exec(url) ?? [];
  const [first = '', ...others] = hosts.split(',').map((host) => `${start}${host}${rest}`);
  const kind = URL.parse(first)?.searchParams.get('target_session_attrs') ?? kindDefault;
  if (!sessionKinds.includes(kind))
    throw new Error(
      `DATABASE_URL: target_session_attrs=${kind} is not supported: use ${sessionKinds.slice(0, -1).join(', ')} or ${sessionKinds.at(-1)}`,
    );
  return { hosts: [parseHost(first), ...others.map(parseHost)], kind: kind as SessionKind };
}

function parseHost(url: string): pg.ClientConfig {
  const parsed = URL.parse(url);
  if (!parsed) throw new Error('DATABASE_URL is not a URL: write postgres://user:password@host:5432/database');
  const take = (name: string) => {
    const value = parsed.searchParams.get(name);
    parsed.searchParams.delete(name);
    return value;
  };
  take('target_session_attrs');
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
