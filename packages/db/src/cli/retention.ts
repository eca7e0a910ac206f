import type { Database } from '../database.ts';
import { firstIdAt } from '../repositories/page.ts';

const batchSize = 10_000;

/**
 * Deletes the audit events before a time and records that in a new one. Disables the trigger that refuses it for one batch at a time, as only the owner of
 * the table can. Writers of events wait for one batch at most.
 *
 * @returns the number of deleted events
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
  await database.system().auditEvents.create({ action: 'audit_events_pruned', details });
  return deleted;
}
