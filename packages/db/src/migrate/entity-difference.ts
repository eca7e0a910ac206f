import type { EntitySchema } from '@mikro-orm/core';
import { DatabaseSchema, MikroORM } from '@mikro-orm/pglite';
import { entities as ownEntities } from '../schema/entities.ts';
import { type Catalog, catalogFacts, readCatalog } from './catalog.ts';
import type { Replay } from './replay.ts';

// Loads MikroORM, which only this file and the entities do.

export interface Difference {
  up: string;
  down: string;
}

/** Returns the statements between the schema of the replay and the entities, in both directions; empty strings if there is no difference. */
export async function differenceOf(
  replay: Replay,
  entities: readonly EntitySchema[] = ownEntities,
): Promise<Difference> {
  const { up, down } = await mikroOrmDifference(replay, entities);
  if (!up.trim()) return { up: '', down: '' };
  const isUnchanged = await unchangedObjects(replay, up);
  const relevant = (sql: string) =>
    sql
      .split('\n')
      .filter((line) => !isUnchanged(line))
      .join('\n')
      .trim();
  return { up: relevant(up), down: relevant(down) };
}

async function mikroOrmDifference({ pglite }: Replay, entities: readonly EntitySchema[]): Promise<Difference> {
  const orm = await MikroORM.init({ entities: [...entities], dbName: 'postgres', driverOptions: { pglite } });
  try {
    const { em, config } = orm;
    // Read here without functions, which migrations define by hand. MikroORM on its own would also read the functions, and write them into
    // `down` without their settings.
    const { rows: partitions } = await pglite.query<{ relname: string }>(
      'select relname from pg_class where relispartition',
    );
    const skipTables = ['schema_migrations', ...partitions.map(({ relname }) => relname)];
    const fromSchema = await DatabaseSchema.create(
      em.getConnection(),
      em.getPlatform(),
      config,
      undefined,
      undefined,
      undefined,
      skipTables,
    );
    // Entities do not describe partitions, which a function creates every month.
    for (const table of fromSchema.getTables()) table.setPartitioning(undefined);
    return await orm.schema.getUpdateSchemaMigrationSQL({ wrap: false, fromSchema });
  } finally {
    await orm.close();
  }
}

/**
 * MikroORM compares constraints and policies by their text, and PostgreSQL stores many of them in another form (`between` as two comparisons,
 * for example). So the difference is applied and rolled back: what looks the same in the catalogue before and after is no difference.
 *
 * @returns whether a statement is about such a constraint or policy
 */
async function unchangedObjects({ database }: Replay, up: string): Promise<(line: string) => boolean> {
  const [before, after] = await database.maintain(async (connection) => {
    const first = await readCatalog(connection);
    try {
      await connection.execute(`begin;\n${up}`);
      return [first, await readCatalog(connection)];
    } finally {
      await connection.execute('rollback');
    }
  });
  const unchanged = new Set(namedFacts(before).filter((fact) => namedFacts(after).includes(fact)));
  const named = [...unchanged].map((fact) => fact.split(' ').slice(0, 3).join(' '));
  return (line) => {
    const [, table] = /^alter table "(\w+)"/.exec(line) ?? /^(?:create|drop) policy .*? on "(\w+)"/.exec(line) ?? [];
    const [, kind, name] = /\b(constraint|policy) "(\w+)"/.exec(line) ?? [];
    return table !== undefined && named.includes(`${table} ${kind} ${name}`);
  };
}

/** Constraints and policies as `table kind name definition`. */
function namedFacts({ tables }: Catalog): string[] {
  return catalogFacts({ tables, functions: [] }).flatMap((fact) => {
    const [, table, kind, rest] = /^table (\w+): (constraint|policy) (.*)$/s.exec(fact) ?? [];
    return table === undefined ? [] : [`${table} ${kind} ${rest}`];
  });
}
