import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Connection, connect, migrations, type Vector } from '@quoin/db';
import { newDirectory, send, startServer } from '../e2e/server.ts';
import { createTexts } from './texts.ts';
import { median, printHelp, requireWrk, startPostgres, wrk } from './tools.ts';

// Measures recall and throughput of vector search for users who own all documents, 1 %, and 0.03 % of them, and for an organization that owns 1 %. Recall is relative to the exact result.
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

const statementOn = ({
  table,
  column,
}: Owner) => `select d.id, d.${column}, d.title, d.content, d.metadata, d.created_at, d.updated_at, d.embedding is not null as has_embedding, m.score
  from semantic_matches($1::vector, '{}'::jsonb, 10) m join ${table} d on d.id = m.id order by m.score desc, d.id desc`;

async function load(
  connection: Connection,
  total: number,
  { table, column, id }: Owner,
  nextText: () => Vector,
): Promise<void> {
  // Building the index at the end is ten times as fast as building it row by row.
  const { rows } = await connection.query<{ indexdef: string }>(
    'select indexdef from pg_indexes where indexname = $1',
    [`idx_${table}_embedding`],
  );
  await connection.execute(`drop index idx_${table}_embedding; truncate ${table}`);
  for (let done = 0; done < total; done += 500) {
    const values = Array.from({ length: 500 }, nextText);
    await connection.query(
      `insert into ${table} (id, ${column}, title, content, embedding)
       select id, $2, 'Document', 'A text of some length, as documents have one.', embedding
       from (values ${values.map((_, index) => `(($1::uuid[])[${index + 1}], $${index + 3}::vector)`).join()}) as rows (id, embedding)`,
      [values.map(() => randomUUID()), id, ...values],
    );
  }
  await connection.execute("set maintenance_work_mem = '1GB'");
  await connection.execute(rows[0]?.indexdef ?? '');
  await connection.execute(`vacuum analyze ${table}`);
}

/** The true nearest ten of each query, among the owner's documents. */
async function exactAnswers(
  connection: Connection,
  { table, column, id: owner }: Owner,
  queries: Vector[],
): Promise<string[][]> {
  const answers: string[][] = [];
  for (const query of queries) {
    const { rows } = await connection.query<{ id: string }>(
      `select id from ${table} where ${column} = $1 order by (embedding <=> $2::vector) + 0 limit 10`,
      [owner, query],
    );
    answers.push(rows.map(({ id }) => id));
  }
  return answers;
}

async function measure(
  connection: Connection,
  who: Owner,
  queries: Vector[],
  { serverUrl, databaseUrl, bindir, directory }: Place,
) {
  const bodies = queries.map((query) => ({ embedding: JSON.parse(String(query)), mode: 'semantic', limit: 10 }));
  const searchUrl = `${serverUrl}/api/v1${who.path}/documents/search`;

  const exact = await exactAnswers(connection, who, queries);
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
    writeFileSync(file, `${statementOn(who).replace('$1', `:q${index}`).replaceAll('\n', ' ')};\n`);
    return file;
  });
  const pgbench = async () => {
    const options = `-c role=quoin_app ${who.settings}`;
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

/** Eight users, two of them in organizations, search at the same time for a minute, in every mode. Prints the number of responses and of documents of other owners in them. */
async function isolation(users: Owner[], queries: Vector[], { serverUrl }: Place): Promise<string> {
  const end = performance.now() + isolationSeconds * 1000;
  const counts = { answers: 0, documents: 0, foreign: 0 };
  const one = async ({ id, token, path, column }: Owner, client: number) => {
    for (let n = client; performance.now() < end; n++) {
      const mode = ['semantic', 'keyword', 'hybrid'][n % 3];
      const body = { query: 'text', embedding: JSON.parse(String(queries[n % queries.length])), mode, limit: 20 };
      const { status, body: answer } = await send(`${serverUrl}/api/v1${path}/documents/search`, { body, token });
      if (status !== 200) throw new Error(`a search was answered ${status}`);
      counts.answers += 1;
      counts.documents += answer.items.length;
      counts.foreign += answer.items.filter(
        ({ document }: { document: Record<string, unknown> }) => document[column] !== id,
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
/** Whose documents are searched: a user's, or an organization's, and as whom. */
interface Owner extends User {
  table: 'documents' | 'organization_documents';
  column: 'user_id' | 'organization_id';
  path: string;
  /** Settings of the session in PostgreSQL. */
  settings: string;
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
  const signUp = async (email: string): Promise<Owner> => {
    const { id } = (await send(`${server.url}/api/v1/auth/register`, { body: { email, password } })).body;
    const { access_token } = (await send(`${server.url}/api/v1/auth/login`, { body: { email, password } })).body;
    const settings = `-c app.user_id=${id}`;
    return { id, token: access_token, table: 'documents', column: 'user_id', path: '/users/me', settings };
  };
  const found = async (connection: Connection, name: string, { id: member, token }: User): Promise<Owner> => {
    await connection.query('update users set email_verified_at = now() where id = $1', [member]);
    const { id } = (await send(`${server.url}/api/v1/organizations`, { body: { name }, token })).body;
    const settings = `-c app.organization_id=${id} -c app.member_id=${member}`;
    return {
      id,
      token,
      table: 'organization_documents',
      column: 'organization_id',
      path: `/organizations/${id}`,
      settings,
    };
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
      await load(connection, size, most, nextText);
      process.stderr.write(
        `${size} documents loaded and indexed in ${Math.round((performance.now() - start) / 1000)} s\n`,
      );
      const queries = Array.from({ length: queriesTotal }, nextText);
      const give = ({ id, table, column }: Owner, share: number, from = most) =>
        connection.query(
          `update ${table} set ${column} = $1 where id in (select id from ${table} where ${column} = $2 order by md5(id::text) limit $3)`,
          [id, from.id, Math.round(size * share)],
        );
      const add = async (share: string, owner: Owner) => {
        table.push({
          documents: size,
          'of them, the owner has': share,
          owner: owner.column === 'user_id' ? 'user' : 'organization',
          ...(await measure(connection, owner, queries, place)),
        });
      };
      await add('all', most);
      await give(some, 0.01);
      await give(few, 0.0003);
      await connection.execute('vacuum analyze documents');
      await add('1 %', some);
      await add('0.03 %', few);
      const [others, team] = [
        await found(connection, 'Others', most),
        await found(connection, `Team of ${size}`, some),
      ];
      await load(connection, size, others, nextText);
      await give(team, 0.01, others);
      await connection.execute('vacuum analyze organization_documents');
      await add('1 %', team);
      if (size !== sizes.at(-1)) return;
      const users = [most, some, few, others, team];
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
