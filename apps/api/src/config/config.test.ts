import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, parseConfig } from './config.ts';

const secret = 'a secret that is only good for tests: 0123456789';
const parse = (env: NodeJS.ProcessEnv) => parseConfig({ SECRET_KEY: secret, ...env });
const problemsOf = (env: NodeJS.ProcessEnv): string => {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
};

test('the configuration has a default for everything except the secret', () => {
  expect(parse({})).toMatchObject({
    environment: 'development',
    host: '127.0.0.1',
    port: 8000,
    logLevel: 'info',
    apiPrefix: '/api/v1',
    databaseUrl: 'pglite://.data/postgres',
    accessTokenSeconds: 900,
    sessionSeconds: 30 * 86_400,
    sessionInactivitySeconds: 7 * 86_400,
    refreshGraceSeconds: 10,
    passwordContextWords: ['quoin'],
    userRequestsPerMinute: 1_200,
    hasDocs: true,
    passwordLengthMin: 8,
    corsOrigins: [],
    trustProxy: false,
    hasRateLimit: true,
    firstAdmin: undefined,
  });
  expect(parse({ PORT: '', CORS_ORIGINS: '' })).toMatchObject({ port: 8000, corsOrigins: [] });
  expect(Object.isFrozen(parse({}))).toBe(true);
});

test('the configuration reads every variable', () => {
  expect(
    parse({
      PORT: '0',
      ACCESS_TOKEN_EXPIRE_MINUTES: '0.5',
      CORS_ORIGINS: 'https://a.example, http://localhost:3000',
      RATE_LIMIT: 'false',
      TRUST_PROXY: '2',
    }),
  ).toMatchObject({
    port: 0,
    accessTokenSeconds: 30,
    corsOrigins: ['https://a.example', 'http://localhost:3000'],
    hasRateLimit: false,
    trustProxy: 2,
  });
  expect(parse({ TRUST_PROXY: '10.0.0.0/8, ::1' }).trustProxy).toEqual(['10.0.0.0/8', '::1']);
});

test('the configuration reads a secret from the file of NAME_FILE and never repeats it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'quoin-config-'));
  try {
    const file = (name: string, text: string) => {
      const path = join(directory, name);
      writeFileSync(path, text);
      return path;
    };
    const env = { SECRET_KEY_FILE: file('key', `${secret}\n`), DATABASE_URL_FILE: file('url', 'postgres://u:p@h/d\n') };
    expect(parseConfig(env)).toMatchObject({ secretKey: secret, databaseUrl: 'postgres://u:p@h/d' });
    expect(problemsOf({ ...env, SECRET_KEY: secret })).toContain('SECRET_KEY and SECRET_KEY_FILE are both set');
    expect(problemsOf({ ...env, REDIS_URL_FILE: join(directory, 'none') })).toContain('REDIS_URL_FILE: ENOENT');
    const wrong = problemsOf({ ...env, REDIS_URL_FILE: file('redis', 'http://me:hunter2@h') });
    expect(wrong).toContain('REDIS_URL must be');
    expect(wrong).not.toContain('hunter2');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('WORKERS requires a PostgreSQL server', () => {
  expect(parse({ WORKERS: '4', DATABASE_URL: 'postgres://h/d' }).workers).toBe(4);
  expect(problemsOf({ SECRET_KEY: secret, WORKERS: '2' })).toContain('WORKERS must be 1 with the embedded database');
});

test('a configuration error lists all problems', () => {
  const mistakes = {
    NODE_ENV: 'staging',
    PORT: '99999',
    LOG_LEVEL: 'loud',
    API_PREFIX: 'api',
    DATABASE_URL: 'mysql://user:hidden@localhost/x',
    DATABASE_POOL_MAX: '0',
    DATABASE_PREPARE: 'yes',
    JWT_ALGORITHM: 'none',
    JWT_PRIVATE_KEY: 'x',
    ACCESS_TOKEN_EXPIRE_MINUTES: '-1',
    REFRESH_TOKEN_EXPIRE_DAYS: 'forever',
    SESSION_INACTIVITY_DAYS: 'NaN',
    REFRESH_GRACE_SECONDS: '1e9',
    PASSWORD_MIN_LENGTH: '4',
    CORS_ORIGINS: 'app.example.com',
    TRUST_PROXY: 'true',
    RATE_LIMIT: 'on',
    REDIS_URL: 'http://:hidden@localhost',
    SMTP_URL: 'localhost:hidden',
    MAIL_FROM: 'nobody',
    APP_URL: 'app.example.com',
    PASSWORD_BREACH_URL: 'pwned',
    PASSWORD_CONTEXT_WORDS: 'ab',
    FIRST_ADMIN_EMAIL: 'admin@example.com',
    SECRET_KEY: 'short',
  };
  const message = problemsOf(mistakes);
  for (const name of Object.keys(mistakes)) expect(message).toContain(name);
  expect(message.split('\n')).toHaveLength(Object.keys(mistakes).length + 1);
  expect(message).not.toContain('short');
  expect(message).not.toContain('hidden');
});

test('the first admin needs a valid email and a password', () => {
  expect(parse({ FIRST_ADMIN_EMAIL: 'a@example.com', FIRST_ADMIN_PASSWORD: 'x' }).firstAdmin).toEqual({
    email: 'a@example.com',
    password: 'x',
  });
  expect(problemsOf({ SECRET_KEY: secret, FIRST_ADMIN_PASSWORD: 'x' })).toContain('needed together');
  expect(problemsOf({ SECRET_KEY: secret, FIRST_ADMIN_EMAIL: 'admin', FIRST_ADMIN_PASSWORD: 'x' })).toContain(
    'FIRST_ADMIN_EMAIL must be',
  );
});

test('a weak SECRET_KEY is rejected everywhere, and a missing one in production', () => {
  expect(problemsOf({ NODE_ENV: 'production' })).toContain('SECRET_KEY is required');
  expect(problemsOf({ NODE_ENV: 'production', SECRET_KEY: '' })).toContain('SECRET_KEY is required');
  expect(problemsOf({ SECRET_KEY: 'x'.repeat(31) })).toContain('at least 32 bytes');
  expect(problemsOf({ SECRET_KEY: 'changeme'.repeat(8) })).toContain('too easy to guess');
  expect(problemsOf({ NODE_ENV: 'production', SECRET_KEY: secret })).toBe('');
});

test('SMTP_URL in production requires MAIL_FROM and APP_URL', () => {
  const env = { NODE_ENV: 'production', SECRET_KEY: secret, SMTP_URL: 'smtp://localhost' };
  expect(problemsOf(env)).toContain('MAIL_FROM and APP_URL are required');
  expect(problemsOf({ ...env, MAIL_FROM: 'Acme <mail@acme.example>' })).toContain('are required');
  expect(problemsOf({ ...env, MAIL_FROM: 'mail@acme.example', APP_URL: 'https://acme.example/app' })).toBe('');
});

test('a configuration error never repeats a URL', () => {
  const urls = [
    'DATABASE_URL',
    'DATABASE_DIRECT_URL',
    'REDIS_URL',
    'SMTP_URL',
    'APP_URL',
    'PASSWORD_BREACH_URL',
    'EMBEDDING_URL',
    'CORS_ORIGINS',
    'TRUST_PROXY',
    'API_PREFIX',
  ];
  const env = Object.fromEntries(urls.map((name) => [name, 'ftp://user:hunter2@host/x?y#z']));
  const problems = problemsOf({ SECRET_KEY: secret, ...env });
  for (const name of urls) expect(problems).toContain(name);
  expect(problems).not.toContain('hunter2');
});

test('each provider of OIDC_PROVIDERS has variables of its own', () => {
  const directory = mkdtempSync(join(tmpdir(), 'quoin-config-'));
  try {
    writeFileSync(join(directory, 'secret'), 'from a file\n');
    const acme = {
      OIDC_PROVIDERS: 'acme-corp, github',
      OIDC_ACME_CORP_ISSUER: 'https://id.acme.example/tenant',
      OIDC_ACME_CORP_CLIENT_ID: 'quoin',
      OIDC_ACME_CORP_CLIENT_SECRET_FILE: join(directory, 'secret'),
      OIDC_ACME_CORP_NAME: 'ACME',
      OIDC_GITHUB_CLIENT_ID: 'id',
      OIDC_GITHUB_CLIENT_SECRET: 'secret',
    };
    expect(parse(acme).providers).toMatchObject([
      {
        id: 'acme-corp',
        name: 'ACME',
        clientSecret: 'from a file',
        scopes: 'openid email profile',
        trustsEmail: false,
      },
      { id: 'github', name: 'GitHub', issuer: 'https://github.com', isGitHub: true },
    ]);
    const microsoft = (issuer: string) => ({
      OIDC_PROVIDERS: 'ms',
      OIDC_MS_ISSUER: issuer,
      OIDC_MS_CLIENT_ID: 'id',
      OIDC_MS_CLIENT_SECRET: 'secret',
      OIDC_MS_TRUST_EMAIL: 'true',
    });
    for (const [variables, problem] of [
      [{ OIDC_PROVIDERS: 'acme' }, 'OIDC_ACME_ISSUER is required'],
      [{ OIDC_PROVIDERS: 'acme' }, 'OIDC_ACME_CLIENT_SECRET is required'],
      [{ OIDC_PROVIDERS: 'Acme Corp' }, 'OIDC_PROVIDERS must be names'],
      [{ ...acme, OIDC_ACME_CORP_ISSUER: 'http://id.acme.example' }, 'OIDC_ACME_CORP_ISSUER must be'],
      [microsoft('https://login.microsoftonline.com/common/v2.0'), 'OIDC_MS_TRUST_EMAIL must be false'],
      [microsoft('https://LOGIN.microsoftonline.com:443//./Organizations'), 'OIDC_MS_TRUST_EMAIL must be false'],
      [microsoft('https://sts.windows.net/common/'), 'OIDC_MS_TRUST_EMAIL must be false'],
      [{ ...acme, NODE_ENV: 'production' }, 'PUBLIC_URL and APP_URL are required'],
      [{ PUBLIC_URL: 'https://api.example.com/path' }, 'PUBLIC_URL must be'],
    ] as const)
      expect(problemsOf({ SECRET_KEY: secret, ...variables })).toContain(problem);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
