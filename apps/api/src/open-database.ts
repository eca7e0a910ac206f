import { connect, type Database, migrations } from '@quoin/db';
import type { Config } from './config.ts';

/**
 * Opens the configured database. The embedded one is brought up to date, since nobody else uses it; a server is left as it is, because
 * migrating it is a step of a deploy.
 */
export async function openDatabase({ databaseUrl, databasePoolMax, databasePrepare }: Config): Promise<Database> {
  const database = await connect(databaseUrl, { poolMax: databasePoolMax, prepare: databasePrepare });
  if (database.isEmbedded) await migrations.upgrade(database);
  return database;
}
