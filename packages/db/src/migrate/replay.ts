import { createDatabase, type Database } from '../database.ts';
import { type MigrationOptions, upgrade } from './migrate.ts';

/** A database in memory to which every migration is applied. */
export interface Replay {
  database: Database;
  pglite: import('@electric-sql/pglite').PGlite;
}

/** Runs `work` on a replay. */
export async function replayed<T>(options: MigrationOptions, work: (replay: Replay) => Promise<T>): Promise<T> {
  const { embeddedSource, openInMemory } = await import('../pglite/pglite.ts');
  const pglite = await openInMemory();
  const database = createDatabase(embeddedSource(pglite));
  try {
    await upgrade(database, options);
    return await work({ database, pglite });
  } finally {
    await database.close();
  }
}
