import { hash as argon2 } from '@node-rs/argon2';
import { hash as bcrypt } from '@node-rs/bcrypt';
import { newDirectory, run as runCommand, send, startServer } from '../e2e/server.ts';
import { median, printHelp } from './tools.ts';

// Measures whether response times reveal accounts: medians for known and unknown emails, in random order, one request at a time. The difference
// between two random halves of the same emails is the noise. An imported account keeps its old hash until the first sign-in, and the cost of
// that hash is visible.

printHelp(`Usage: npm run -s bench:account-timing -- [REQUESTS]

Measures whether the time of a response reveals an account, with REQUESTS of each kind (500). On the embedded database, or on that of DATABASE_URL.

Example: DATABASE_URL=postgres://user:password@host/database npm run -s bench:account-timing
`);
const each = Number(process.argv[2] ?? 500);
const password = 'correct horse battery';

const shuffled = <T>(items: readonly T[]): T[] =>
  items
    .map((item) => ({ item, key: Math.random() }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item);

/** Median difference between the medians of two random halves. */
function noise(values: readonly number[]): number {
  const differences = Array.from({ length: 200 }, () => {
    const mixed = shuffled(values);
    return Math.abs(median(mixed.slice(0, values.length / 2)) - median(mixed.slice(values.length / 2)));
  });
  return median(differences);
}

const directory = newDirectory();
const { DATABASE_URL } = process.env;
const run = Date.now().toString(36);

/** Hashes of other systems and of Quoin. */
const imported: Record<string, () => Promise<string>> = {
  'bcrypt, cost 10': () => bcrypt(password, { cost: 10 }),
  'bcrypt, cost 12': () => bcrypt(password, { cost: 12 }),
  'Argon2id, 64 MiB, 3 passes': () => argon2(password, { memoryCost: 65_536, timeCost: 3, parallelism: 1 }),
  'Argon2id, 8 MiB, 1 pass': () => argon2(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 }),
};
const importedEmail = (kind: number, n: number) => `imported-${run}-${kind}-${n}@example.com`;
const hashes = await Promise.all(Object.values(imported).map((make) => make()));
const lines = hashes.flatMap((password_hash, kind) =>
  Array.from({ length: each }, (_, n) => JSON.stringify({ email: importedEmail(kind, n), password_hash })),
);
const databaseEnv: Record<string, string> = DATABASE_URL ? { DATABASE_URL } : {};
if (DATABASE_URL) await runCommand('db', ['upgrade'], { cwd: directory.path, env: databaseEnv });
const { code, stderr } = await runCommand('user', ['import'], {
  cwd: directory.path,
  env: databaseEnv,
  input: lines.join('\n'),
});
if (code !== 0) throw new Error(stderr);

const server = await startServer({
  cwd: directory.path,
  env: { LOG_LEVEL: 'error', NODE_ENV: 'test', ...databaseEnv },
});
try {
  const api = `${server.url}/api/v1`;
  const known = Array.from({ length: each }, (_, n) => `known-${run}-${n}@example.com`);
  const unknown = Array.from({ length: each }, (_, n) => `other-${run}-${n}@example.com`);
  for (const email of known) await send(`${api}/auth/register`, { body: { email, password } });

  const measure = async (path: string, bodyOf: (email: string) => object, emailsOfKind = known, name = '') => {
    const times = { known: [] as number[], unknown: [] as number[] };
    const statuses = new Set<number>();
    const emails = shuffled([
      ...emailsOfKind.map((email) => ({ email, kind: 'known' as const })),
      ...unknown.map((email) => ({ email, kind: 'unknown' as const })),
    ]);
    for (const { email, kind } of emails) {
      const start = performance.now();
      const { status } = await send(`${api}${path}`, { body: bodyOf(email) });
      times[kind].push(performance.now() - start);
      statuses.add(status);
    }
    const ms = (value: number) => Number(value.toFixed(3));
    return {
      request: `POST ${path}${name}`,
      statuses: [...statuses].join(),
      'known, ms': ms(median(times.known)),
      'unknown, ms': ms(median(times.unknown)),
      'difference, ms': ms(Math.abs(median(times.known) - median(times.unknown))),
      'noise, ms': ms(Math.max(noise(times.known), noise(times.unknown))),
    };
  };

  const challenges = new Map<string, string>();
  for (const email of shuffled([...known, ...unknown])) {
    const { body } = await send(`${api}/auth/email-code`, { body: { email } });
    challenges.set(email, body.challenge);
  }
  const wrongPassword = (email: string) => ({ email, password: 'not the password' });
  console.table([
    await measure('/auth/password/forgot', (email) => ({ email })),
    await measure('/auth/login', wrongPassword),
    await measure('/auth/email-code/confirm', (email) => ({ challenge: challenges.get(email), code: '000000' })),
    await measure('/auth/email-code', (email) => ({ email })),
    ...(await importedRows()),
  ]);

  async function importedRows() {
    const rows = [];
    for (const [kind, name] of Object.keys(imported).entries()) {
      const emails = Array.from({ length: each }, (_, n) => importedEmail(kind, n));
      rows.push(await measure('/auth/login', wrongPassword, emails, `, imported ${name}`));
    }
    return rows;
  }
} finally {
  await server.end('SIGTERM');
  directory.remove();
}
