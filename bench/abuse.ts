import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { newDirectory, run, startServer } from '../e2e/server.ts';
import { bystanderMsMax, createHostileClient, password } from './hostile-client.ts';
import { printHelp, startPostgres } from './tools.ts';

// Measures what one hostile client costs the server, and what a bystander notices: a signed-in user who reads their account every 10 ms. The
// server runs with its default limits and a heap of 512 MiB.

printHelp(`Usage: npm run -s bench:abuse -- [--embedded]

Prints the CPU time that hostile requests cost the server, and the slowest response to a bystander meanwhile. Exits with 1 if a request without a token
costs more than 0.1 CPU-seconds, one with a token more than 0.5, or a bystander waits for more than 500 ms. On a PostgreSQL of its own, which is
installed if it is missing, or with --embedded on the embedded one, where a bystander waits for every query of others.

Example: npm run -s bench:abuse
`);
const isEmbedded = process.argv.includes('--embedded');
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

const database = isEmbedded ? undefined : await createDatabase();
const directory = newDirectory();
const server = await startServer({
  cwd: directory.path,
  env: {
    LOG_LEVEL: 'error',
    RATE_LIMIT: 'true',
    // Each attack uses another address, so that the rate limits of one do not affect the next.
    TRUST_PROXY: '1',
    NODE_OPTIONS: '--max-old-space-size=512',
    DATABASE_URL: database?.url ?? 'memory://',
  },
});
const { attack, bystander, newAddress, peakMebibytes, post, rows, signUp } = await createHostileClient(server);
try {
  const attacker = await signUp(newAddress());
  const { token } = attacker;
  const filled = (open: string, item: string, close: string, bytes: number) =>
    `${open}${Array(Math.floor((bytes - open.length - close.length) / (item.length + 1)))
      .fill(item)
      .join()}${close}`;
  const unknownFields = (bytes: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: Math.floor(bytes / 14) }, (_, n) => [`f${n}`, 'x'])));
  const text = (bytes: number) => 'x '.repeat(bytes / 2);

  await attack(
    'refresh: 1 MiB of unknown fields',
    'anonymous',
    [{ path: '/auth/refresh', body: unknownFields(mebibyte) }],
    20,
  );
  await attack(
    'refresh: 15 KiB of unknown fields',
    'anonymous',
    [{ path: '/auth/refresh', body: unknownFields(15 * kibibyte) }],
    50,
  );
  await attack('login: 16 KiB of [', 'anonymous', [{ path: '/auth/login', body: '['.repeat(16 * kibibyte) }], 50);
  await attack(
    'register: fields of 15 KB',
    'anonymous',
    [{ path: '/auth/register', body: JSON.stringify({ email: `${text(7_000)}@x.y`, password: text(7_000) }) }],
    50,
  );
  await attack('login: 10 MiB over the limit', 'anonymous', [{ path: '/auth/login', body: text(10 * mebibyte) }], 10);
  await attack('unknown path: 1 MiB', 'anonymous', [{ path: '/nothing', body: unknownFields(mebibyte) }], 10);

  const script = '/docs/static/swagger-ui-bundle.js';
  await attack(
    'the largest script of /docs, compressed',
    'anonymous',
    [{ path: script, method: 'GET', origin: true }],
    20,
  );

  const batch = '/users/me/documents/batch';
  const large = 16 * mebibyte - kibibyte;
  await attack(
    'batch: 4 MB of {"items":[1,1,…]}',
    'signed in',
    [{ path: batch, token, body: filled('{"items":[', '1', ']}', 4_000_000) }],
    3,
  );
  await attack(
    'batch: 16 MiB of 1',
    'signed in',
    [{ path: batch, token, body: filled('{"items":[', '1', ']}', large) }],
    3,
  );
  await attack(
    'batch: 16 MiB of []',
    'signed in',
    [{ path: batch, token, body: filled('{"items":[', '[]', ']}', large) }],
    3,
  );
  await attack('batch: 16 MiB of [', 'signed in', [{ path: batch, token, body: '['.repeat(large) }], 3);
  await attack(
    'batch: 16 MiB, 2,000 vectors of 3,000',
    'signed in',
    [{ path: batch, token, body: filled('{"items":[', filled('[', '1', ']', 7_900), ']}', large) }],
    3,
  );
  await attack(
    'task: 1 MiB of unknown fields',
    'signed in',
    [{ path: '/users/me/tasks', token, body: unknownFields(mebibyte) }],
    10,
  );
  await attack(
    'task: 1 MiB of []',
    'signed in',
    [{ path: '/users/me/tasks', token, body: filled('[', '[]', ']', mebibyte - kibibyte) }],
    10,
  );
  await attack(
    'preferences: 128 KiB of settings',
    'signed in',
    [{ path: '/users/me/preferences', method: 'PUT', token, body: `{"settings":${unknownFields(126 * kibibyte)}}` }],
    10,
  );

  // 150 documents of 100,000 characters. Each contains all of the same 60 words.
  const words = Array.from({ length: 60 }, () => `w${randomBytes(4).toString('hex')}`);
  const longest = () => {
    let content = '';
    while (content.length < 99_900) content += `${words[Math.floor(Math.random() * words.length)]} `;
    return content.slice(0, 100_000);
  };
  for (let n = 0; n < 150; n++)
    await post({ path: '/users/me/documents', token, body: JSON.stringify({ title: 'Long', content: longest() }) });
  const search = (query: string) => ({ path: '/users/me/documents/search', token, body: JSON.stringify({ query }) });
  await attack('search: 60 words, 16 at once', 'signed in', Array(16).fill(search(words.join(' '))), 3);
  await attack('search: 16 words, 16 at once', 'signed in', Array(16).fill(search(words.slice(0, 16).join(' '))), 3);
  await attack(
    'search: 16 words or 15 others, 16 at once',
    'signed in',
    Array(16).fill(search(words.slice(0, 16).join(' or '))),
    3,
  );
  await attack(
    'batch of 150 documents of 100,000 characters',
    'signed in',
    [
      {
        path: batch,
        token,
        body: JSON.stringify({ items: Array.from({ length: 150 }, () => ({ title: 'x', content: longest() })) }),
      },
    ],
    5,
  );

  // Sixteen accounts that prove their password as fast as they can, from one address and from sixteen.
  const accounts = await Promise.all(Array.from({ length: 16 }, () => signUp(newAddress())));
  const proof = ({ token: own, email }: (typeof accounts)[0]) => ({
    path: '/auth/login',
    token: own,
    body: JSON.stringify({ email, password: 'not the password' }),
    address: newAddress(),
  });
  const victim = async () => {
    const begun = performance.now();
    const account = { email: bystander.email, password };
    const status = await post({ path: '/auth/login', body: JSON.stringify(account), address: newAddress() });
    return { ms: performance.now() - begun, status };
  };
  const flood = Promise.all(accounts.flatMap((account) => Array.from({ length: 10 }, () => post(proof(account)))));
  const signIns = [await victim(), await victim(), await victim()];
  await flood;
  rows.push({
    attack: 'sign-in of a bystander, 160 guesses by 16 accounts at once',
    requests: 160,
    statuses: signIns.map(({ status }) => status).join(),
    'CPU-s each': Number.NaN,
    'slowest, ms': Number.NaN,
    'bystander, ms': Math.round(Math.max(...signIns.map(({ ms }) => ms))),
    'peak, MiB': peakMebibytes(),
    isWithinBounds: signIns.every(({ ms, status }) => ms <= bystanderMsMax && status === 200),
  });
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await server.end('SIGTERM');
  await database?.drop();
  directory.remove();
}
console.table(rows);
if (rows.some(({ isWithinBounds }) => !isWithinBounds)) process.exitCode = 1;

/** Creates and migrates a database. */
async function createDatabase() {
  const { url: serverUrl } = startPostgres();
  const name = `quoin_abuse_${randomUUID().replaceAll('-', '')}`;
  const administer = async (statement: string) => {
    const client = new pg.Client(serverUrl);
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await administer(`create database ${name}`);
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const migrated = await run('db', ['upgrade'], { cwd: '/', env: { DATABASE_URL: url } });
  if (migrated.code !== 0) throw new Error(migrated.stderr);
  return { url, drop: () => administer(`drop database ${name} with (force)`) };
}
