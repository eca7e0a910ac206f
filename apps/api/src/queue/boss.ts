import type { Database } from '@quoin/db';
import type { PgBoss } from 'pg-boss';

export const queueSchema = 'pgboss';

/** Name of the queue in pg-boss, which accepts no spaces. */
export const queueNameOf = (job: string): string => job.replaceAll(' ', '-');
export const jobNameOf = (queue: string): string => queue.replaceAll('-', ' ');

/**
 * Opens pg-boss on the connections of the database. It claims and settles jobs, and recovers those of processes that died. It has no timers of its own: the
 * runner polls the queue for all kinds of jobs at once (docs/decisions/025). Its schema comes from our migrations.
 */
export async function openBoss(database: Database, warn: (fields: object, message: string) => void): Promise<PgBoss> {
  const { PgBoss } = await import('pg-boss');
  const boss = new PgBoss({
    db: {
      executeSql: async (text, values = []) => {
        const results = await database.execute(text, values);
        const [result = { rows: [] }] = results;
        return results.length > 1 ? (results as never) : result;
      },
    },
    backend: database.isEmbedded ? 'pglite' : 'postgres',
    schema: queueSchema,
    createSchema: false,
    migrate: false,
    supervise: false,
    schedule: false,
    registerInstance: false,
    reindex: false,
    openTelemetry: { enabled: false },
    queueCacheIntervalSeconds: 86_400,
  });
  boss.on('error', (err) => warn({ err }, 'the job queue reported an error'));
  boss.on('warning', ({ message, data }) => warn({ data }, message));
  await boss.start();
  return boss;
}
