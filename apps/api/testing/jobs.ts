import type { Database } from '@quoin/db';

/** Makes all waiting jobs due, for tests of attempts that come later. */
export const makeJobsDue = async (database: Database): Promise<void> => {
  await database.execute(`update pgboss.job set start_after = now() where state < 'active'`);
};

/** Makes the running jobs look as if their process had died: its last heartbeat was five minutes ago. */
export const stopHeartbeats = async (database: Database): Promise<void> => {
  await database.execute(`update pgboss.job set heartbeat_on = now() - interval '5 minutes' where state = 'active'`);
};

/** Returns all jobs, the oldest first. */
export const jobsIn = async (database: Database) => (await database.system().jobs.list({ limit: 1_000 })).reverse();
