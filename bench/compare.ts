import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '@quoin/db';
import { newDirectory, send } from '../e2e/server.ts';
import { candidatesIn, installPeers, prefix, type Running, start } from './candidates.ts';
import { createTokens, fill, fillBetterAuth, resetSessionsStatement, secretKey, signIn } from './fill.ts';
import { refreshesOf, requestsOf } from './lua.ts';
import { type Row, targetsOf } from './targets.ts';
import { bareArgon2, type Load, loginLoad, median, printHelp, requireWrk, startPostgres, wrk } from './tools.ts';

// Compares Quoin with hand-written servers and with other frameworks, on a PostgreSQL server. docs/performance.md has the results. Each figure is the
// median of several rounds in which the candidates take turns, so that a busy moment of the machine affects all of them.

const usage = `Usage: npm run -s bench -- [--large] [--rounds N] [--seconds N] [--only WORK] [--json FILE]

  --large        1,000,000 users and sessions instead of 100,000
  --rounds N     number of rounds (3)
  --seconds N    duration of each candidate's turn (5)
  --only WORK    only workloads whose name contains WORK
  --json FILE    also writes the figures to FILE

Example: npm run -s bench -- --only task --json tasks.json
`;

printHelp(usage);
const { values: options } = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const users = options.large ? 1_000_000 : 100_000;
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const connections = 32;
const warmSeconds = 2;
/** More than the queue holds, so that some are rejected. */
const floodClients = 200;
const startsTotal = 7;

/** Sends requests to one candidate for some seconds. */
type Ask = (seconds: number) => Promise<Load>;
interface Work {
  name: string;
  candidates: Record<string, Ask>;
  /** Runs before each candidate. */
  reset?: () => Promise<void>;
}

const say = (text: string) => process.stderr.write(`${text}\n`);

async function measure({ name, candidates, reset = async () => {} }: Work): Promise<Row[]> {
  say(name);
  const entries = Object.entries(candidates).map(([candidate, ask]) => ({ candidate, ask, loads: [] as Load[] }));
  for (const { ask } of entries) {
    await reset();
    await ask(warmSeconds);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { ask, loads } of entries) {
      await reset();
      loads.push(await ask(seconds));
    }
  }
  const middle = (loads: Load[], key: keyof Load) => median(loads.map((load) => load[key]));
  return entries.map(({ candidate, loads }) => ({
    work: name,
    candidate,
    perSecond: middle(loads, 'perSecond'),
    p50: middle(loads, 'p50'),
    p99: middle(loads, 'p99'),
  }));
}

type Servers = Record<'quoin' | 'limit' | 'hello' | 'express' | 'nest' | 'better-auth', Running>;

async function worksOf(servers: Servers, directory: string, resetSessions: () => Promise<void>): Promise<Work[]> {
  const tokens = createTokens();
  const { quoin, limit, hello, express, nest } = servers;
  const api = `${quoin.url}${prefix}`;
  const ask =
    (url: string, script: string): Ask =>
    (forSeconds) =>
      wrk(url, script, { connections, seconds: forSeconds });

  const me = requestsOf({ directory, name: 'me', tokens: tokens.users });
  const cookie = requestsOf({ directory, name: 'cookie', tokens: tokens.cookies }, { cookie: 'quoin_session' });
  const apiKey = requestsOf({ directory, name: 'api-key', tokens: tokens.apiKeys });
  const betterMe = requestsOf({ directory, name: 'better-me', tokens: tokens.betterAuth });
  const list = requestsOf({ directory, name: 'list', tokens: tokens.usersWithTasks });
  const task = { title: 'Lay the cornerstone', description: 'Before the walls' };
  const create = requestsOf({ directory, name: 'create', tokens: tokens.users }, { method: 'POST', body: task });
  const refresh = refreshesOf({ directory, name: 'refresh', tokens: tokens.refresh });
  const plainRefresh = refreshesOf({ directory, name: 'plain-refresh', tokens: tokens.plainRefresh });
  const admin = requestsOf({ directory, name: 'admin', tokens: [tokens.admin] });

  let deepPage = await send(`${api}/users?limit=200`, { token: tokens.admin });
  for (let seen = 200; seen < users * 0.9; seen += 200)
    deepPage = await send(`${api}/users?limit=200&cursor=${deepPage.body.next_cursor}`, { token: tokens.admin });
  const usersMe = ask(`${api}/users/me`, me);
  const login = (clients: number) => (forSeconds: number) => loginLoad(signIn(api), clients, forSeconds);
  return [
    {
      name: 'GET /users/me',
      candidates: {
        quoin: usersMe,
        'quoin, cookie': ask(`${api}/users/me`, cookie),
        'quoin, API key': ask(`${api}/users/me`, apiKey),
        limit: ask(`${limit.url}/users/me`, me),
        hello: ask(hello.url, me),
        express: ask(`${express.url}/users/me`, me),
        nest: ask(`${nest.url}/users/me`, me),
        'better-auth': ask(`${servers['better-auth'].url}/api/auth/get-session`, betterMe),
      },
    },
    {
      name: 'task list, 20 of 200',
      candidates: {
        quoin: ask(`${api}/users/me/tasks?limit=20`, list),
        limit: ask(`${limit.url}/tasks`, list),
        express: ask(`${express.url}/tasks`, list),
        nest: ask(`${nest.url}/tasks`, list),
      },
    },
    {
      name: 'create task',
      candidates: {
        quoin: ask(`${api}/users/me/tasks`, create),
        limit: ask(`${limit.url}/tasks`, create),
        express: ask(`${express.url}/tasks`, create),
        nest: ask(`${nest.url}/tasks`, create),
      },
    },
    {
      name: 'refresh',
      reset: resetSessions,
      candidates: {
        quoin: ask(`${api}/auth/refresh`, refresh),
        limit: ask(`${limit.url}/refresh`, plainRefresh),
      },
    },
    {
      name: 'page of 50 users',
      candidates: {
        'first page': ask(`${api}/users`, admin),
        '90 % deep': ask(`${api}/users?cursor=${deepPage.body.next_cursor}`, admin),
      },
    },
    { name: 'login', candidates: { quoin: login(connections), argon2: bareArgon2 } },
    {
      name: 'GET /users/me while logins saturate',
      candidates: {
        alone: usersMe,
        'beside logins': async (forSeconds) =>
          (await Promise.all([usersMe(forSeconds), login(connections)(forSeconds)]))[0],
      },
    },
    { name: `login, ${floodClients} clients at once`, candidates: { quoin: login(floodClients) } },
  ];
}

/** Median milliseconds from spawn to the first answer. The candidates take turns. */
async function measureStarts(candidates: Record<string, Parameters<typeof start>[0]>, logFile: string) {
  say('start to first answer');
  const times = new Map<string, number[]>();
  for (let n = 0; n < startsTotal; n++) {
    for (const [name, candidate] of Object.entries(candidates)) {
      const server = await start(candidate, logFile);
      await server.end();
      times.set(name, [...(times.get(name) ?? []), server.startMs]);
    }
  }
  return Object.fromEntries([...times].map(([name, values]) => [name, median(values)]));
}

const rounded = (value: number) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

await requireWrk();
await installPeers();
const { url } = startPostgres();
const name = `quoin_bench_${process.pid}`;
const betterName = `${name}_better_auth`;
const urlOf = (database: string) => Object.assign(new URL(url), { pathname: `/${database}` }).href;
const administration = await connect(url);
const administer = (statement: string) => administration.maintain((connection) => connection.execute(statement));
const directory = newDirectory();
const running: Running[] = [];
try {
  for (const database of [name, betterName]) await administer(`create database ${database}`);
  await fill(urlOf(name), users, (done) => say(`${done + 1} users`));
  const places = { databaseUrl: urlOf(name), betterAuthUrl: urlOf(betterName), secretKey, directory: directory.path };
  const candidates = candidatesIn(places);
  const { fastify, embedded, ...compared } = candidates;
  const logFile = join(directory.path, 'candidates.log');

  const isWanted = (work: string) => work.includes(options.only);
  let starts: Record<string, number> = {};
  if (isWanted('start')) {
    await (await start(embedded, logFile)).end(); // creates its data directory
    starts = await measureStarts({ quoin: compared.quoin, fastify, embedded }, logFile);
  }

  const servers = {} as Servers;
  for (const [candidate, description] of Object.entries(compared) as [keyof Servers, typeof embedded][]) {
    servers[candidate] = await start(description, logFile);
    running.push(servers[candidate]);
  }
  await fillBetterAuth(places.betterAuthUrl, users);

  const database = await connect(places.databaseUrl);
  const rows: Row[] = [];
  const resetSessions = async () => {
    await new Promise((resolve) => setTimeout(resolve, 300)); // lets requests that wrk abandoned finish
    await database.maintain((connection) => connection.execute(resetSessionsStatement));
  };
  for (const work of await worksOf(servers, directory.path, resetSessions)) {
    if (isWanted(work.name)) rows.push(...(await measure(work)));
  }
  await database.close();
  const memory = Object.fromEntries(
    Object.entries(servers).map(([candidate, server]) => [candidate, server.residentMiB()]),
  );

  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, ${users} users, ${connections} connections, ${rounds} rounds of ${seconds} s`;
  const targets = targetsOf(rows, starts, memory);
  process.stdout.write(`${machine}\n`);
  console.table(
    rows.map(({ work, candidate, perSecond, p50, p99 }) => ({
      work,
      candidate,
      '/s': rounded(perSecond),
      'p50, ms': rounded(p50),
      'p99, ms': rounded(p99),
    })),
  );
  console.table({ 'RSS after load, MiB': Object.fromEntries(Object.entries(memory).map(([k, v]) => [k, rounded(v)])) });
  console.table(targets.map(({ name, value, wanted }) => ({ target: name, value: rounded(value ?? 0), wanted })));
  if (options.json) writeFileSync(options.json, JSON.stringify({ machine, rows, starts, memory, targets }, null, 2));
} finally {
  for (const server of running) await server.end();
  for (const database of [name, betterName]) await administer(`drop database if exists ${database} with (force)`);
  await administration.close();
  directory.remove();
}
