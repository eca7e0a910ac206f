import { newDirectory, send, startServer } from '../e2e/server.ts';
import { median, printHelp } from './tools.ts';

// Whether an answer tells by its time if an account exists: as many known emails as unknown ones, in random order, one request at a
// time, medians. What the same emails differ by among themselves, in two random halves, is the noise. Prints a table.

printHelp(`Usage: npm run -s bench:account-timing -- [REQUESTS]

Whether an answer tells by its time if an account exists, from REQUESTS of each kind (500). On the embedded database, or on that of DATABASE_URL.

Example: DATABASE_URL=postgres://user:password@host/database npm run -s bench:account-timing
`);
const each = Number(process.argv[2] ?? 500);
const password = 'correct horse battery';

const shuffled = <T>(items: readonly T[]): T[] =>
  items
    .map((item) => ({ item, key: Math.random() }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item);

/** The median of what the medians of two random halves differ by. */
function noise(values: readonly number[]): number {
  const differences = Array.from({ length: 200 }, () => {
    const mixed = shuffled(values);
    return Math.abs(median(mixed.slice(0, values.length / 2)) - median(mixed.slice(values.length / 2)));
  });
  return median(differences);
}

const directory = newDirectory();
const { DATABASE_URL } = process.env;
const server = await startServer({
  cwd: directory.path,
  env: { LOG_LEVEL: 'error', NODE_ENV: 'test', ...(DATABASE_URL && { DATABASE_URL }) },
});
try {
  const api = `${server.url}/api/v1`;
  const run = Date.now().toString(36);
  const known = Array.from({ length: each }, (_, n) => `known-${run}-${n}@example.com`);
  const unknown = Array.from({ length: each }, (_, n) => `other-${run}-${n}@example.com`);
  for (const email of known) await send(`${api}/auth/register`, { body: { email, password } });

  const measure = async (path: string, bodyOf: (email: string) => object) => {
    const times = { known: [] as number[], unknown: [] as number[] };
    const statuses = new Set<number>();
    const emails = shuffled([
      ...known.map((email) => ({ email, kind: 'known' as const })),
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
      request: `POST ${path}`,
      statuses: [...statuses].join(),
      'known, ms': ms(median(times.known)),
      'unknown, ms': ms(median(times.unknown)),
      'difference, ms': ms(Math.abs(median(times.known) - median(times.unknown))),
      'noise, ms': ms(Math.max(noise(times.known), noise(times.unknown))),
    };
  };

  console.table([
    await measure('/auth/password/forgot', (email) => ({ email })),
    await measure('/auth/login', (email) => ({ email, password: 'not the password' })),
  ]);
} finally {
  await server.end('SIGTERM');
  directory.remove();
}
