import { connect, type Database, DatabaseUnavailable, migrations, StatementTimeout } from '@quoin/db';
import type { Config } from '../config/config.ts';
import type { Tracing } from './tracing.ts';

/**
 * Opens the configured database. The embedded one is brought up to date, since nobody else uses it; a server is left as it is, because
 * migrating it is a step of a deploy.
 */
export async function openDatabase(config: Config, tracing?: Tracing): Promise<Database> {
  const database = await connect(config.databaseUrl, {
    poolMax: config.databasePoolMax,
    prepare: config.databasePrepare,
    directUrl: config.databaseDirectUrl,
    observe: tracing?.observe,
  });
  if (database.isEmbedded) await migrations.upgrade(database);
  return database;
}

/** SQLSTATEs that waiting does not help: a wrong password, no such role, no such database. */
const lastingStates = /^(28|3D)/;
const retryMsMin = 100;
const retryMsMax = 2_000;

/**
 * Waits for a server that does not answer yet, as one that is started together with this process.
 *
 * @param waiting told once, why
 * @throws DatabaseUnavailable when it still does not after `seconds`, or will not
 */
export async function waitForDatabase(database: Database, seconds: number, waiting: (error: Error) => void) {
  const deadline = performance.now() + seconds * 1000;
  for (let delay = retryMsMin; ; delay = Math.min(delay * 2, retryMsMax)) {
    try {
      return await database.ping();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable || error instanceof StatementTimeout)) throw error;
      const { code = '' } = (error.cause ?? {}) as { code?: string };
      if (lastingStates.test(code) || performance.now() + delay > deadline) throw error;
      if (delay === retryMsMin) waiting(error);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}
