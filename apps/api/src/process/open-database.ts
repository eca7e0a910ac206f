import { connect, type Database, DatabaseUnavailable, migrations, StatementTimeout } from '@quoin/db';
import type { Config } from '../config/config.ts';
import type { Tracing } from './tracing.ts';

/**
 * Opens the configured database. Migrates the embedded one, because only this process uses it. Migrating a server is a step of a deployment.
 */
export async function openDatabase(config: Config, tracing?: Tracing): Promise<Database> {
  const database = await connect(config.databaseUrl, {
    poolMax: config.databasePoolMax,
    prepare: config.databasePrepare,
    directUrl: config.databaseDirectUrl,
    replicaUrl: config.databaseReplicaUrl,
    observe: tracing?.observe,
  });
  if (database.isEmbedded) await migrations.upgrade(database);
  return database;
}

/** SQLSTATEs for which waiting does not help: wrong password, unknown role, unknown database. */
const permanentStates = /^(28|3D)/;
const retryMsMin = 100;
const retryMsMax = 2_000;

/**
 * Waits for a server that does not answer yet, for example because it starts at the same time.
 *
 * @param waiting called once, with the reason
 * @throws DatabaseUnavailable if the server does not answer within `seconds`, or waiting does not help
 */
export async function waitForDatabase(database: Database, seconds: number, waiting: (error: Error) => void) {
  const deadline = performance.now() + seconds * 1000;
  for (let delay = retryMsMin; ; delay = Math.min(delay * 2, retryMsMax)) {
    try {
      return await database.ping();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable || error instanceof StatementTimeout)) throw error;
      const { code = '' } = (error.cause ?? {}) as { code?: string };
      if (permanentStates.test(code) || performance.now() + delay > deadline) throw error;
      if (delay === retryMsMin) waiting(error);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}
