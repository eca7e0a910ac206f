import { existsSync } from 'node:fs';
import { defaultDatabaseUrl } from '@quoin/db';
import { isEmail } from '../http/email.ts';
import { registeredConfig, registeredSecrets } from '../product/config.ts';
import { providers } from './providers.ts';
import { previousSecretKeys, secretKey, signingKeys } from './token-keys.ts';
import { createReaders, quoted, type Readers, withSecrets } from './variables.ts';

// Reads the configuration of the server from the environment. scripts/docs.ts compares it with .env.example.

export type Config = Readonly<ReturnType<typeof parse>>;

/** Lists every mistake in the configuration. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Reads the configuration from the environment and from `.env`, if it exists. The environment wins.
 *
 * @throws ConfigError with all problems
 */
export function readConfig(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return parseConfig(process.env);
}

/** Same as `readConfig`, from the given variables. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const config = parse(withSecrets(env, problems, registeredSecrets), problems);
  if (problems.length > 0) {
    throw new ConfigError(`the configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
  return Object.freeze(config);
}

function parse(env: NodeJS.ProcessEnv, problems: string[]) {
  const read = createReaders(env, problems);
  const environment = read.oneOf('NODE_ENV', ['development', 'production', 'test'], 'development');
  return {
    ...registeredConfig(read),
    environment,
    host: read.text('HOST', '127.0.0.1'),
    port: read.integer('PORT', 8000, { min: 0, max: 65_535 }),
    logLevel: read.oneOf('LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
    apiPrefix: read.matching('API_PREFIX', '/api/v1', /^(\/[\w.~-]+)+$/, 'a path such as /api/v1'),
    databaseUrl: read.confidential(
      'DATABASE_URL',
      defaultDatabaseUrl,
      /^(postgres(ql)?:\/\/.|pglite:\/\/.|memory:\/\/$)/,
      'postgres://…, pglite://DIRECTORY or memory://',
    ),
    databaseDirectUrl: read.confidential('DATABASE_DIRECT_URL', '', /^postgres(ql)?:\/\/./, 'postgres://…'),
    databaseReplicaUrl: replicaUrl(read, env.DATABASE_URL, problems),
    databasePoolMax: read.integer('DATABASE_POOL_MAX', 10, { min: 1, max: 1000 }),
    databasePrepare: read.boolean('DATABASE_PREPARE', true),
    databaseWaitSeconds: read.number('DATABASE_WAIT_SECONDS', 60, { min: 0, max: 3600 }),
    auditRetentionDays: days('AUDIT_RETENTION_DAYS', read.integer('AUDIT_RETENTION_DAYS', 0, daysRange), problems),
    auditPersonalDataDays: days(
      'AUDIT_PERSONAL_DATA_DAYS',
      read.integer('AUDIT_PERSONAL_DATA_DAYS', 90, daysRange),
      problems,
    ),
    workers: workers(read, env.DATABASE_URL, problems),
    shutdownSeconds: read.number('SHUTDOWN_SECONDS', 15, { min: 0.1, max: 3600 }),
    shutdownDelaySeconds: read.number('SHUTDOWN_DELAY_SECONDS', 0, { min: 0, max: 3600 }),
    hasDocs: read.boolean('DOCS', environment !== 'production'),
    hasTracing: hasTracing(env),
    hasMetrics: read.boolean('METRICS', false),
    metricsPort: read.integer('METRICS_PORT', 9464, { min: 0, max: 65_535 }),
    secretKey: secretKey(env.SECRET_KEY, environment, problems),
    previousSecretKeys: previousSecretKeys(env.PREVIOUS_SECRET_KEYS, problems),
    ...signingKeys(env, read.oneOf('JWT_ALGORITHM', ['HS256', 'EdDSA', 'ES256'], 'HS256'), problems),
    jwtIssuer: read.text('JWT_ISSUER', env.PUBLIC_URL || 'quoin'),
    jwtAudience: read.text('JWT_AUDIENCE', 'quoin'),
    accessTokenSeconds: read.number('ACCESS_TOKEN_EXPIRE_MINUTES', 15, { min: 0.01, max: 1440 }) * 60,
    sessionSeconds: read.number('REFRESH_TOKEN_EXPIRE_DAYS', 30, { min: 0.00001, max: 3650 }) * 86_400,
    sessionInactivitySeconds: read.number('SESSION_INACTIVITY_DAYS', 7, { min: 0.00001, max: 3650 }) * 86_400,
    refreshGraceSeconds: read.number('REFRESH_GRACE_SECONDS', 10, { min: 0, max: 600 }),
    passwordLengthMin: read.integer('PASSWORD_MIN_LENGTH', 8, { min: 8, max: 64 }),
    passwordContextWords: read.list(
      'PASSWORD_CONTEXT_WORDS',
      (word) => [...word].length >= 3,
      'words of at least 3 characters, separated by commas',
      ['quoin'],
    ),
    passwordBreachUrl: read.matching(
      'PASSWORD_BREACH_URL',
      '',
      /^https?:\/\/./,
      'the http(s):// URL of a range service',
    ),
    corsOrigins: read.list(
      'CORS_ORIGINS',
      (origin) => origin === '*' || isOrigin(origin),
      'origins such as https://app.example.com, separated by commas',
    ),
    trustProxy: trustProxy(env.TRUST_PROXY, problems),
    hasRateLimit: read.boolean('RATE_LIMIT', true),
    userRequestsPerMinute: read.integer('USER_REQUESTS_PER_MINUTE', 1_200, { min: 1, max: 1_000_000 }),
    redisUrl: read.confidential('REDIS_URL', '', /^rediss?:\/\/./, 'redis://… or rediss://…'),
    ...frontEnd(read, environment, problems),
    providers: providers(read, environment, problems),
    publicUrl: read.matching(
      'PUBLIC_URL',
      '',
      /^https?:\/\/[^\s/?#]+$/,
      'the http(s):// URL of this server, without a path',
    ),
    allowsPrivateWebhooks: privateWebhooks(read, environment, problems),
    embedding: embedding(read, env.EMBEDDING_API_KEY),
    firstAdmin: firstAdmin(env.FIRST_ADMIN_EMAIL, env.FIRST_ADMIN_PASSWORD, problems),
  };
}

/** Webhooks to the network of the server are for development. */
function privateWebhooks(read: Readers, environment: string, problems: string[]): boolean {
  const allows = read.boolean('WEBHOOKS_PRIVATE', false);
  if (allows && environment === 'production') problems.push('WEBHOOKS_PRIVATE must be false in production');
  return allows;
}

/** Whether the standard OpenTelemetry variables enable traces. The SDK reads them again, with others. */
const hasTracing = (env: NodeJS.ProcessEnv) =>
  env.OTEL_SDK_DISABLED !== 'true' &&
  env.OTEL_TRACES_EXPORTER !== 'none' &&
  Boolean(env.OTEL_TRACES_EXPORTER || env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);

const isOrigin = (text: string) => URL.parse(text)?.origin === text;

const daysRange = { min: 0, max: 3_650 };

/** The audit trail of the last 30 days is never changed. */
function days(name: string, value: number, problems: string[]): number {
  if (value > 0 && value < 30) problems.push(`${name} must be 0 (keep forever) or at least 30`);
  return value;
}

function replicaUrl(read: Readers, databaseUrl: string | undefined, problems: string[]): string | undefined {
  const url = read.confidential('DATABASE_REPLICA_URL', '', /^postgres(ql)?:\/\/./, 'postgres://…');
  if (url && !/^postgres(ql)?:/.test(databaseUrl ?? ''))
    problems.push(
      'DATABASE_REPLICA_URL needs a PostgreSQL server in DATABASE_URL: the embedded database has no replicas',
    );
  return url;
}

/** Number of server processes. Only one process can open the embedded database. */
function workers(read: Readers, databaseUrl: string | undefined, problems: string[]): number {
  const count = read.integer('WORKERS', 1, { min: 1, max: 1024 });
  if (count > 1 && !/^postgres(ql)?:/.test(databaseUrl ?? ''))
    problems.push(
      'WORKERS must be 1 with the embedded database, which only one process can open: set DATABASE_URL to a PostgreSQL server',
    );
  return count;
}

/** SMTP server and sender of outgoing mail; the front end, which links in mails point to and where passkeys are used. */
function frontEnd(read: Readers, environment: string, problems: string[]) {
  const smtpUrl = read.confidential('SMTP_URL', '', /^smtps?:\/\/./, 'smtp://… or smtps://…');
  const mailFrom = read.matching(
    'MAIL_FROM',
    'Quoin <no-reply@localhost>',
    /^[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>$|^[^\s<>@]+@[^\s<>@]+$/,
    'an address, or Name <address>',
  );
  const appUrl = read.matching(
    'APP_URL',
    'http://localhost:3000',
    /^https?:\/\/[^\s?#]+$/,
    'the http(s):// URL of your front end',
  );
  const isDefault = (name: string) => !read.isGiven(name);
  if (environment === 'production' && smtpUrl && ['MAIL_FROM', 'APP_URL'].some(isDefault))
    problems.push(
      'MAIL_FROM and APP_URL are required with SMTP_URL in production: they set the sender of mails and the links in them',
    );
  const { origin, hostname } = URL.parse(appUrl) ?? { origin: '', hostname: '' };
  const webauthnOrigins = read.list(
    'WEBAUTHN_ORIGINS',
    isOrigin,
    'origins such as https://app.example.com, separated by commas',
    [origin],
  );
  const webauthnRpId = read.matching('WEBAUTHN_RP_ID', hostname, /^[a-z\d.-]+$/, 'a domain such as example.com');
  return { smtpUrl, mailFrom, appUrl, webauthnOrigins, webauthnRpId };
}

/** The embedding service; undefined if none is configured. */
function embedding(read: Readers, apiKey: string | undefined) {
  const url = read.matching(
    'EMBEDDING_URL',
    '',
    /^https?:\/\/[^\s?#]+$/,
    'the http(s):// URL of an OpenAI-compatible API',
  );
  const model = read.text('EMBEDDING_MODEL', 'text-embedding-3-small');
  return url === '' ? undefined : { url, model, apiKey };
}

/**
 * Which proxies are trusted to set `X-Forwarded-For`: none (false), a number of hops counted from this server, or their addresses. There is
 * no value for "all": any client can write the header.
 */
function trustProxy(text: string | undefined, problems: string[]): boolean | number | string[] {
  if (!text || text === 'false') return false;
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  const addresses = text.split(',').map((item) => item.trim());
  if (
    addresses.every(
      (address) =>
        /^[\da-f.:]+(\/\d{1,3})?$|^(loopback|linklocal|uniquelocal)$/i.test(address) && !/^\d+$/.test(address),
    )
  )
    return addresses;
  problems.push(
    `TRUST_PROXY must be false, a number of hops, or addresses and networks separated by commas${quoted(text)}`,
  );
  return false;
}

function firstAdmin(email: string | undefined, password: string | undefined, problems: string[]) {
  if (!email && !password) return undefined;
  if (!email || !password) problems.push('FIRST_ADMIN_EMAIL and FIRST_ADMIN_PASSWORD are needed together');
  else if (!isEmail(email)) problems.push('FIRST_ADMIN_EMAIL must be an email address');
  else return { email, password };
  return undefined;
}
