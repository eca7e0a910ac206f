import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { defaultDatabaseUrl, readSecret } from '@quoin/db';
import { isEmail } from '../http/email.ts';
import { readSigningKey, readVerificationKey, type VerificationKey } from './signing-key.ts';

// The only place that reads the environment. .env.example lists the same variables, and scripts/docs.ts compares the two.

export type Config = Readonly<ReturnType<typeof parse>>;

/** All mistakes of the configuration, in one message. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * The configuration, from `.env` (where there is one; it overrides nothing) and the environment.
 *
 * @throws ConfigError that names every problem
 */
export function readConfig(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return parseConfig(process.env);
}

/** As `readConfig`, from the variables that are given. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const config = parse(withSecrets(env, problems), problems);
  if (problems.length > 0) {
    throw new ConfigError(`the configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
  return Object.freeze(config);
}

/** What may be given as a file too: NAME_FILE. */
const secrets = [
  'SECRET_KEY',
  'JWT_PRIVATE_KEY',
  'JWT_PREVIOUS_KEYS',
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'REDIS_URL',
  'SMTP_URL',
  'EMBEDDING_API_KEY',
  'FIRST_ADMIN_PASSWORD',
];

function withSecrets(env: NodeJS.ProcessEnv, problems: string[]): NodeJS.ProcessEnv {
  const read = (name: string) => {
    try {
      return readSecret(env, name);
    } catch (error) {
      problems.push((error as Error).message);
      return undefined;
    }
  };
  return { ...env, ...Object.fromEntries(secrets.map((name) => [name, read(name)])) };
}

function parse(env: NodeJS.ProcessEnv, problems: string[]) {
  const read = readers(env, problems);
  const environment = read.oneOf('NODE_ENV', ['development', 'production', 'test'], 'development');
  return {
    environment,
    host: read.text('HOST', '127.0.0.1'),
    port: read.integer('PORT', 8000, { min: 0, max: 65_535 }),
    logLevel: read.oneOf('LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
    apiPrefix: read.matching('API_PREFIX', '/api/v1', /^(\/[\w.~-]+)+$/, 'a path such as /api/v1'),
    databaseUrl: read.unrepeated(
      'DATABASE_URL',
      defaultDatabaseUrl,
      /^(postgres(ql)?:\/\/.|pglite:\/\/.|memory:\/\/$)/,
      'postgres://…, pglite://DIRECTORY or memory://',
    ),
    databaseDirectUrl: read.unrepeated('DATABASE_DIRECT_URL', '', /^postgres(ql)?:\/\/./, 'postgres://…'),
    databasePoolMax: read.integer('DATABASE_POOL_MAX', 10, { min: 1, max: 1000 }),
    databasePrepare: read.boolean('DATABASE_PREPARE', true),
    databaseWaitSeconds: read.number('DATABASE_WAIT_SECONDS', 60, { min: 0, max: 3600 }),
    workers: workers(read, env.DATABASE_URL, problems),
    shutdownSeconds: read.number('SHUTDOWN_SECONDS', 15, { min: 0.1, max: 3600 }),
    shutdownDelaySeconds: read.number('SHUTDOWN_DELAY_SECONDS', 0, { min: 0, max: 3600 }),
    hasDocs: read.boolean('DOCS', environment !== 'production'),
    hasTracing: hasTracing(env),
    hasMetrics: read.boolean('METRICS', false),
    metricsPort: read.integer('METRICS_PORT', 9464, { min: 0, max: 65_535 }),
    secretKey: secretKey(env.SECRET_KEY, environment, problems),
    ...signingKeys(env, read.oneOf('JWT_ALGORITHM', ['HS256', 'EdDSA', 'ES256'], 'HS256'), problems),
    jwtIssuer: read.text('JWT_ISSUER', 'quoin'),
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
      (origin) => origin === '*' || URL.parse(origin)?.origin === origin,
      'origins such as https://app.example.com, separated by commas',
    ),
    trustProxy: trustProxy(env.TRUST_PROXY, problems),
    hasRateLimit: read.boolean('RATE_LIMIT', true),
    userRequestsPerMinute: read.integer('USER_REQUESTS_PER_MINUTE', 1_200, { min: 1, max: 1_000_000 }),
    redisUrl: read.unrepeated('REDIS_URL', '', /^rediss?:\/\/./, 'redis://… or rediss://…'),
    ...mail(read, environment, problems),
    embedding: embedding(read, env.EMBEDDING_API_KEY),
    firstAdmin: firstAdmin(env.FIRST_ADMIN_EMAIL, env.FIRST_ADMIN_PASSWORD, problems),
  };
}

/** Whether the standard variables of OpenTelemetry ask for traces. The SDK reads them, and others, by itself. */
const hasTracing = (env: NodeJS.ProcessEnv) =>
  env.OTEL_SDK_DISABLED !== 'true' &&
  env.OTEL_TRACES_EXPORTER !== 'none' &&
  Boolean(env.OTEL_TRACES_EXPORTER || env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);

/** How many processes share the work. The embedded database is one process's alone. */
function workers(read: ReturnType<typeof readers>, databaseUrl: string | undefined, problems: string[]): number {
  const count = read.integer('WORKERS', 1, { min: 1, max: 1024 });
  if (count > 1 && !/^postgres(ql)?:/.test(databaseUrl ?? ''))
    problems.push(
      'WORKERS must be 1 with the embedded database, which is one process’s alone: set DATABASE_URL to a PostgreSQL server',
    );
  return count;
}

/** Readers of one variable each: its value, or its default where it is empty, or the default and a problem noted. */
function readers(env: NodeJS.ProcessEnv, problems: string[]) {
  const value = <T>(name: string, fallback: T, parseText: (text: string) => T | undefined, expected: string): T => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const parsed = parseText(text);
    if (parsed === undefined) problems.push(`${name} must be ${expected}${quoted(text)}`);
    return parsed ?? fallback;
  };
  const number = (name: string, fallback: number, { min, max }: { min: number; max: number }, isInteger = false) => {
    const parseText = (text: string) => {
      const parsed = text.trim() === '' ? Number.NaN : Number(text);
      return parsed >= min && parsed <= max && (!isInteger || Number.isInteger(parsed)) ? parsed : undefined;
    };
    return value(name, fallback, parseText, `${isInteger ? 'a whole number' : 'a number'} from ${min} to ${max}`);
  };
  return {
    isGiven: (name: string) => Boolean(env[name]),
    text: (name: string, fallback: string) => value(name, fallback, (text) => text, 'a text'),
    matching: (name: string, fallback: string, pattern: RegExp, expected: string) =>
      value(name, fallback, (text) => (pattern.test(text) ? text : undefined), expected),
    /** What may have a password in it is not repeated to whoever reads the message. */
    unrepeated: (name: string, fallback: string, pattern: RegExp, expected: string) => {
      const text = env[name];
      if (!text) return fallback;
      if (!pattern.test(text)) problems.push(`${name} must be ${expected}`);
      return text;
    },
    oneOf: <const T extends string>(name: string, allowed: readonly T[], fallback: T) =>
      value<T>(name, fallback, (text) => allowed.find((one) => one === text), allowed.join(', ')),
    boolean: (name: string, fallback: boolean) =>
      value(name, fallback, (text) => ({ true: true, false: false })[text], 'true or false'),
    number,
    integer: (name: string, fallback: number, range: { min: number; max: number }) =>
      number(name, fallback, range, true),
    list: (name: string, isValid: (item: string) => boolean, expected: string, fallback: string[] = []) =>
      value<string[]>(
        name,
        fallback,
        (text) => {
          const items = text.split(',').map((item) => item.trim());
          return items.every(isValid) ? items : undefined;
        },
        expected,
      ),
  };
}

/** Repeats a value in an error message, but not a URL, which may have a password in it. */
const quoted = (text: string) => (/:\/\/|@/.test(text) ? '' : `, not ${JSON.stringify(text)}`);

/** Where mails go, by whom they say that they are, and where the links in them lead. */
function mail(read: ReturnType<typeof readers>, environment: string, problems: string[]) {
  const smtpUrl = read.unrepeated('SMTP_URL', '', /^smtps?:\/\/./, 'smtp://… or smtps://…');
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
      'MAIL_FROM and APP_URL are required with SMTP_URL in production: without them mails are by nobody, and lead nowhere',
    );
  return { smtpUrl, mailFrom, appUrl };
}

/** The service that turns texts into vectors; undefined where there is none. */
function embedding(read: ReturnType<typeof readers>, apiKey: string | undefined) {
  const url = read.matching(
    'EMBEDDING_URL',
    '',
    /^https?:\/\/[^\s?#]+$/,
    'the http(s):// URL of an OpenAI-compatible API',
  );
  const model = read.text('EMBEDDING_MODEL', 'text-embedding-3-small');
  return url === '' ? undefined : { url, model, apiKey };
}

const secretBytesMin = 32;
const secretFile = '.data/secret-key';

/** In production it must be given; elsewhere one is made on the first start and kept. A weak one is refused everywhere. */
function secretKey(given: string | undefined, environment: string, problems: string[]): string {
  if (given) {
    if (Buffer.byteLength(given) < secretBytesMin)
      problems.push(`SECRET_KEY must have at least ${secretBytesMin} bytes: ${howToMakeOne}`);
    else if (new Set(given).size < 10) problems.push(`SECRET_KEY is too regular to be secret: ${howToMakeOne}`);
    return given;
  }
  if (environment === 'production') {
    problems.push(`SECRET_KEY is required in production: ${howToMakeOne}`);
    return '';
  }
  if (existsSync(secretFile)) return readFileSync(secretFile, 'utf8').trim();
  const made = randomBytes(32).toString('base64url');
  mkdirSync('.data', { recursive: true, mode: 0o700 });
  try {
    writeFileSync(secretFile, `${made}\n`, { mode: 0o600, flag: 'wx' });
    return made;
  } catch {
    return readFileSync(secretFile, 'utf8').trim(); // another process was first
  }
}

const howToMakeOne = 'make one with `openssl rand -base64 48`';

/** The key that signs access tokens, and those that still verify; with HS256 there is none, and SECRET_KEY does both. */
function signingKeys(env: NodeJS.ProcessEnv, algorithm: string, problems: string[]) {
  const none = { signingKey: undefined, previousKeys: [] as VerificationKey[] };
  const tried = <T>(name: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(`${name} ${(error as Error).message}`);
      return undefined;
    }
  };
  const given = env.JWT_PRIVATE_KEY;
  const previous = env.JWT_PREVIOUS_KEYS;
  if (algorithm === 'HS256') {
    if (given || previous) problems.push('JWT_PRIVATE_KEY and JWT_PREVIOUS_KEYS need JWT_ALGORITHM=EdDSA or ES256');
    return none;
  }
  if (!given) {
    problems.push(
      `JWT_PRIVATE_KEY is required with JWT_ALGORITHM=${algorithm}: make one with npm run keys -- generate`,
    );
    return none;
  }
  const signingKey = tried('JWT_PRIVATE_KEY', () => readSigningKey(given));
  if (signingKey && signingKey.algorithm !== algorithm)
    problems.push(`JWT_PRIVATE_KEY is a key for ${signingKey.algorithm}, not ${algorithm}`);
  const previousKeys = (previous ?? '')
    .split(',')
    .filter((item) => item.trim() !== '')
    .map((item) => tried('JWT_PREVIOUS_KEYS', () => readVerificationKey(item.trim())));
  return { signingKey, previousKeys: previousKeys.filter((key) => key !== undefined) };
}

/**
 * Whose X-Forwarded-For is believed: false (nobody's), a number of hops counted from this server, or the addresses of the proxies.
 * Never simply "everybody's", since the header is the caller's to write.
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
