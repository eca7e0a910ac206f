import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresQueryCompiler,
} from 'kysely';
import type { QueryResult } from './connection.ts';
import type { Tables } from './schema/tables.ts';

const compiler = new PostgresQueryCompiler();
const adapter = new PostgresAdapter();
const dialect = new PostgresDialect({
  pool: async () => Promise.reject(new Error('this Kysely has no connection: use database.as() or database.system()')),
});

export type Execute = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

/** Returns a Kysely that runs its statements with `execute`. Cheap: all of them share one compiler. */
export function kyselyOn(execute: Execute): Kysely<Tables> {
  const connection: DatabaseConnection = {
    executeQuery: async (query) => {
      const { rows, affectedRows } = await execute(query);
      return { rows: rows as never[], numAffectedRows: BigInt(affectedRows) };
    },
    streamQuery,
  };
  const executor = new DefaultQueryExecutor(compiler, adapter, {
    provideConnection: (consumer) => consumer(connection),
  });
  return new Kysely<Tables>({ config: { dialect }, dialect, driver: new DummyDriver(), executor });
}

// biome-ignore lint/correctness/useYield: Kysely's interface requires a generator, and streaming is not supported.
async function* streamQuery(): AsyncGenerator<never> {
  throw new Error('streaming is not supported: read pages');
}

/** Whether a statement only reads and takes no row locks, so that it can be repeated and never waits. Raw SQL counts as a write. */
export const isRead = ({ query }: CompiledQuery): boolean =>
  query.kind === 'SelectQueryNode' && query.endModifiers === undefined;
