import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Connection, connect, migrations, type Vector } from '@quoin/db';
import { newDirectory, send, startServer } from '../e2e/server.ts';
import { createTexts } from './texts.ts';
import { median, printHelp, requireWrk, startPostgres, wrk } from './tools.ts';

// Measures recall and throughput of vector search for users who own all documents, 1 %, and 0.03 % of them. Recall is relative to the exact result.
// Throughput over HTTP is compared with pgbench, which runs the same statement without authentication, transaction, role and JSON. Prints a table.

printHelp(`Usage: npm run -s bench:search -- [DOCUMENTS…]

Finds documents by their meaning: how well, and how fast. DOCUMENTS is how many there are: 10000 and 100000, which takes some ten minutes.

Example: npm run -s bench:search -- 10000
`);
const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000];
const queriesTotal = 100;
const clients = 32;
const seconds = 5;
const rounds = 3;
const isolationSeconds = 60;
const isolationUsers = 8;
const password = 'correct horse battery';
const run = promisify(execFile);

const statement = `select d.id, d.user_id, d.title, d.content, d.metadata, d.created_at, d.updated_at, d.embedding is not null as has_embedding, m.score
  from semantic_matches($1::vector, '{}'::jsonb, 10) m join documents d on d.id = m.id order by m.score desc, d.id desc`;

async function load(connection: Connection, total: number, userId: string, nextText: () => Vector): Promise<void> {
  // Building the index at the end is ten times as fast as building it row by row.
  const { rows } = await connection.query<{ indexdef: string }>(
    "select indexdef from pg_indexes where indexname = 'idx_documents_embedding'",
  );
  await connection.execute('drop index idx_documents_embedding; truncate documents');
  for (let done = 0; done < total; done += 500) {
    const values = Array.from({ length: 500 }, nextText);
    await connection.query(
      `insert into documents (id, user_id, title, content, embedding)
       select id, $2, 'Document', 'A text of some length, as documents have one.', embedding
       from (values ${values.map((_, index) => `(($1::uuid[])[${index + 1}], $${index + 3}::vector)`).join()}) as rows (id, embedding)`,
      [values.map(() => randomUUID()), userId, ...values],
    );
  }
  await connection.execute("set maintenance_work_mem = '1GB'");
  await connection.execute(rows[0]?.indexdef ?? '');
  await connection.execute('vacuum analyze documents');
}

/** The true nearest ten of each query, among the user's documents. */
async function exactAnswers(connection: Connection, userId: string, queries: Vector[]): Promise<string[][]> {
  const answers: string[][] = [];
  for (const query of queries) {
    const { rows } = await connection.query<{ id: string }>(
      'select id from documents where user_id = $1 order by (embedding <=> $2::vector) + 0 limit 10',
      [userId, query],
    );
    answers.push(rows.map(({ id }) => id));
  }
  return answers;
}

async function measure(
  connection: Connection,
  who: User,
  queries: Vector[],
  { serverUrl, databaseUrl, bindir, directory }: Place,
) {
  const bodies = queries.map((query) => ({ embedding: JSON.parse(String(query)), mode: 'semantic', limit: 10 }));
  const searchUrl = `${serverUrl}/api/v1/users/me/documents/search`;

  const exact = await exactAnswers(connection, who.id, queries);
  let found = 0;
  let expected = 0;
  for (const [index, body] of bodies.entries()) {
    const { items } = (await send(searchUrl, { body, token: who.token })).body;
    const truth = new Set(exact[index]);
    found += items.filter(({ document }: { document: { id: string } }) => truth.has(document.id)).length;
    expected += truth.size;
  }

  const script = join(directory, 'search.lua');
  const bodiesFile = join(directory, 'bodies.txt');
  writeFileSync(bodiesFile, bodies.map((body) => JSON.stringify(body)).join('\n'));
  writeFileSync(
    script,
    `local bodies, n = {}, 0
for line in io.lines("${bodiesFile}") do bodies[#bodies + 1] = line end
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer ${who.token}"
init = function() for i, body in ipairs(bodies) do bodies[i] = wrk.format(nil, nil, nil, body) end end
request = function() n = n % #bodies + 1; return bodies[n] end`,
  );
  // The vector is a parameter, as in Quoin: the value of a pgbench variable.
  const asked = queries.slice(0, 10);
  const files = asked.map((_, index) => {
    const file = join(directory, `search-${index}.sql`);
    writeFileSync(file, `${statement.replace('$1', `:q${index}`).replaceAll('\n', ' ')};\n`);
    return file;
  });
  const pgbench = async () => {
    const options = `-c role=quoin_app -c app.user_id=${who.id}`;
    const vectors = asked.flatMap((query, index) => ['-D', `q${index}=${query}`]);
    const scripts = files.flatMap((file) => ['-f', file]);
    const { stdout } = await run(
      join(bindir, 'pgbench'),
      ['-n', '-M', 'prepared', `-c${clients}`, '-j1', `-T${seconds}`, ...vectors, ...scripts, databaseUrl],
      { env: { PATH: process.env.PATH, PGOPTIONS: options } },
    );
    return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  };

  await wrk(searchUrl, script, { connections: clients, seconds: 2 });
  const http: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < rounds; round++) {
    http.push((await wrk(searchUrl, script, { connections: clients, seconds })).perSecond);
    plain.push(await pgbench());
  }
  return {
    'recall@10': Number((found / expected).toFixed(4)),
    'HTTP, /s': Math.round(median(http)),
    'pgbench, /s': Math.round(median(plain)),
    ratio: Number((median(http) / median(plain)).toFixed(2)),
  };
}

/** Eight users search at the same time for a minute, in every mode. Prints the number of responses and of documents of other users in them. */
async function isolation(users: User[], queries: Vector[], { serverUrl }: Place): Promise<string> {
  const end = performance.now() + isolationSeconds * 1000;
  const counts = { answers: 0, documents: 0, foreign: 0 };
  const one = async ({ id, token }: User, client: number) => {
    for (let n = client; performance.now() < end; n++) {
      const mode = ['semantic', 'keyword', 'hybrid'][n % 3];
      const body = { query: 'text', embedding: JSON.parse(String(queries[n % queries.length])), mode, limit: 20 };
      const { status, body: answer } = await send(`${serverUrl}/api/v1/users/me/documents/search`, { body, token });
      if (status !== 200) throw new Error(`a search was answered ${status}`);
      counts.answers += 1;
      counts.documents += answer.items.length;
      counts.foreign += answer.items.filter(
        ({ document }: { document: { user_id: string } }) => document.user_id !== id,
      ).length;
    }
  };
  await Promise.all(users.map(one));
  return `${users.length} clients, ${isolationSeconds} s: ${counts.answers} answers with ${counts.documents} documents, ${counts.foreign} of them somebody else's`;
}

interface User {
  id: string;
  token: string;
}
interface Place {
  serverUrl: string;
  databaseUrl: string;
  bindir: string;
  directory: string;
}

await requireWrk();
const { url, bindir } = startPostgres();
const name = `quoin_bench_${process.pid}`;
const administration = await connect(url);
await administration.maintain((connection) => connection.execute(`create database ${name}`));
const databaseUrl = Object.assign(new URL(url), { pathname: `/${name}` }).href;
const database = await connect(databaseUrl);
const directory = newDirectory();
try {
  await migrations.upgrade(database);
  mkdirSync(directory.path, { recursive: true });
  const server = await startServer({
    cwd: directory.path,
    env: { DATABASE_URL: databaseUrl, NODE_ENV: 'test', LOG_LEVEL: 'error' },
  });
  const place = { serverUrl: server.url, databaseUrl, bindir, directory: directory.path };
  const signUp = async (email: string): Promise<User> => {
    const { id } = (await send(`${server.url}/api/v1/auth/register`, { body: { email, password } })).body;
    const { access_token } = (await send(`${server.url}/api/v1/auth/login`, { body: { email, password } })).body;
    return { id, token: access_token };
  };
  const table: Record<string, unknown>[] = [];
  let isolated = '';
  for (const size of sizes) {
    const [most, some, few] = [
      await signUp(`most-${size}@example.com`),
      await signUp(`some-${size}@example.com`),
      await signUp(`few-${size}@example.com`),
    ];
    await database.maintain(async (connection) => {
      const nextText = createTexts(size);
      const start = performance.now();
      await load(connection, size, most.id, nextText);
      process.stderr.write(
        `${size} documents loaded and indexed in ${Math.round((performance.now() - start) / 1000)} s\n`,
      );
      const queries = Array.from({ length: queriesTotal }, nextText);
      const give = (user: User, share: number) =>
        connection.query(
          `update documents set user_id = $1 where id in (select id from documents where user_id = $2 order by md5(id::text) limit $3)`,
          [user.id, most.id, Math.round(size * share)],
        );
      const add = async (share: string, user: User) => {
        table.push({
          documents: size,
          'of them, the user has': share,
          ...(await measure(connection, user, queries, place)),
        });
      };
      await add('all', most);
      await give(some, 0.01);
      await give(few, 0.0003);
      await connection.execute('vacuum analyze documents');
      await add('1 %', some);
      await add('0.03 %', few);
      if (size !== sizes.at(-1)) return;
      const users = [most, some, few];
      for (let n = users.length; n < isolationUsers; n++) {
        const user = await signUp(`other-${n}@example.com`);
        await give(user, 0.01);
        users.push(user);
      }
      isolated = await isolation(users, queries, place);
    });
  }
  console.table(table);
  console.info(isolated);
  await server.end('SIGTERM');
} finally {
  await database.close();
  await administration.maintain((connection) => connection.execute(`drop database if exists ${name} with (force)`));
  await administration.close();
  directory.remove();
}
