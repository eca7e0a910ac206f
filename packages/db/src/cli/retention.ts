import type { Database } from '../database.ts';
import { firstIdAt } from '../repositories/page.ts';

const batchSize = 10_000;

/**
 * Deletes the audit events from before a moment, and records that in a new one. The triggers that refuse it are disabled for one batch at a time,
 * which takes the owner of the table; other writers of events wait for a batch at most.
 *
 * @returns how many were deleted
 * @throws Error for a role that does not own the table
 */
export async function pruneAuditEvents(database: Database, before: Date): Promise<number> {
  const deleted = await database.maintain(async (connection) => {
    let total = 0;
    for (let affected = batchSize; affected === batchSize; total += affected) {
      try {
        await connection.execute(
          `begin; set local lock_timeout = '10s'; alter table audit_events disable trigger refuse_change`,
        );
        ({ affectedRows: affected } = await connection.query(
          'delete from audit_events where id in (select id from audit_events where id < $1 order by id limit $2)',
          [firstIdAt(before), batchSize],
        ));
        await connection.execute('alter table audit_events enable trigger refuse_change; commit');
      } catch (error) {
        await connection.execute('rollback');
        throw error;
      }
    }
    return total;
  });
  const details = { before: before.toISOString(), deleted };
  await database.system(({ auditEvents }) => auditEvents.create({ action: 'audit_events_pruned', details }));
  return deleted;
}
