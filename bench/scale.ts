import { connect, migrations } from '@quoin/db';
import { deleteRowsOf } from '../apps/api/src/users/account-deletion.ts';
import { fill } from './scale-fill.ts';
import { type Operation, operationsOf } from './scale-operations.ts';
import { median, printHelp } from './tools.ts';

// Fills a database with many accounts and measures what grows with it. Prints a table: each operation with a tenth of the rows, and with all of them.

printHelp(`Usage: DATABASE_URL=… npm run -s bench:scale -- [MILLIONS]

Fills an empty database with 2 million users, 5 million sessions, 10 million tasks and 10 million audit events (MILLIONS of each of the last two: 10), which
takes 10 GB and up to an hour. The role must be a superuser, to insert rows without checking each foreign key. Then measures the operations of users and admins.

Example: DATABASE_URL=postgresql://admin@127.0.0.1/scale npm run -s bench:scale -- 1
`);
const millions = Number(process.argv[2] ?? 10);
const runsTotal = 15;
const url = process.env.DATABASE_URL ?? '';
if (!/^postgres/.test(url)) throw new Error('DATABASE_URL must be the URL of a PostgreSQL server');

const statements: { text: string; isOwner: boolean }[] = [];
const database = await connect(url, {
  observe: (text, run) => {
    if (/^(select|insert|update|delete|with)/i.test(text.trim())) statements.push({ text, isOwner: isOwnerWork });
    return run();
  },
});
let isOwnerWork = false;

interface PlanNode {
  'Node Type'?: string;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

const seqScans = (node: PlanNode): string[] => [
  ...(node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? ''] : []),
  ...(node.Plans ?? []).flatMap(seqScans),
];

/** Returns the tables of more than a thousand rows that a plan reads whole. */
async function wholeReads(text: string, isOwner: boolean): Promise<string[]> {
  return database.maintain(async (connection) => {
    const settings = `set local app.user_id = '${crypto.randomUUID()}'; set local role quoin_app`;
    await connection.execute(`begin${isOwner ? `; ${settings}` : ''}`);
    try {
      const { rows } = await connection.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
        `explain (generic_plan, format json) ${text}`,
      );
      const names = rows.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => seqScans(Plan)));
      const large = await connection.query<{ relname: string }>(
        'select relname from pg_class where relname = any($1) and reltuples > 1000',
        [names],
      );
      return large.rows.map(({ relname }) => relname);
    } finally {
      await connection.execute('rollback');
    }
  });
}

async function measure(operations: Operation[]): Promise<Map<string, { ms: number; reads: string[] }>> {
  const results = new Map<string, { ms: number; reads: string[] }>();
  for (const { name, run, isOwner = false } of operations) {
    const times: number[] = [];
    statements.length = 0;
    isOwnerWork = isOwner;
    for (let n = 0; n < runsTotal; n++) {
      const begin = performance.now();
      await run();
      times.push(performance.now() - begin);
    }
    const texts = [...new Set(statements.map(({ text }) => text))].filter((text) => !/set_config|^select 1/.test(text));
    const reads = (await Promise.all(texts.map((text) => wholeReads(text, isOwner)))).flat();
    results.set(name, { ms: median(times), reads: [...new Set(reads)] });
  }
  return results;
}

const timed = async (work: () => Promise<unknown>) => {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
};

console.error('migrating');
await migrations.upgrade(database);
const results = [];
for (const [from, to] of [
  [0, 0.1],
  [0.1, 1],
] as const) {
  console.error(`filling up to ${to * 100} %`);
  await database.maintain((connection) => fill(connection, millions, from, to));
  console.error('measuring');
  results.push(await measure(await operationsOf(database)));
}
const { rows: sizes } = await database.inspect((connection) =>
  connection.query<Record<string, string>>(`
    select split_part(relname, '_20', 1) as table, pg_size_pretty(sum(pg_table_size(oid))) as table_size, pg_size_pretty(sum(pg_indexes_size(oid))) as index_size,
      round(sum(pg_total_relation_size(oid)) / greatest(sum(reltuples)::numeric, 1)) as bytes_per_row
    from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace group by 1 having sum(reltuples) > 1000 order by sum(pg_total_relation_size(oid)) desc`),
);
const [small, large] = results;
const operations = await operationsOf(database);
console.log('| operation | a tenth, ms | all, ms | ratio | reads whole tables |\n| --- | --- | --- | --- | --- |');
for (const { name, limitMs } of operations) {
  const [few, many] = [small?.get(name)?.ms ?? 0, large?.get(name)?.ms ?? 0];
  const text = `${many.toFixed(1)}${many > limitMs ? ` (over ${limitMs})` : ''}`;
  console.log(
    `| ${name} | ${few.toFixed(1)} | ${text} | ${(many / few).toFixed(1)} | ${large?.get(name)?.reads.join(', ') || 'no'} |`,
  );
}
const heavyId = (await database.system().users.findByEmail('user-1@example.com'))?.id ?? '';
console.log(
  `\nDELETE of the account with 3.5 % of the tasks: ${(await timed(() => database.system().deletedAccounts.mark(heavyId, new Date()))).toFixed(1)} ms; the job afterwards: ${((await timed(() => deleteRowsOf(database, heavyId))) / 1000).toFixed(1)} s`,
);
console.log('\n| table | rows | indexes | bytes per row |\n| --- | --- | --- | --- |');
for (const row of sizes) console.log(`| ${row.table} | ${row.table_size} | ${row.index_size} | ${row.bytes_per_row} |`);
await database.close();
