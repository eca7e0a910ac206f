import type { Database } from '@quoin/db';
import type { Config } from '../config/config.ts';

const eventsPerBatch = 5_000;
const dayMs = 86_400_000;

interface Dependencies {
  database: Database;
  config: Pick<Config, 'auditRetentionDays' | 'auditPersonalDataDays'>;
  clock: () => Date;
}

/**
 * Maintains the partitions and the retention of the audit trail: creates the partitions of the next months, removes addresses and agents after
 * AUDIT_PERSONAL_DATA_DAYS, and drops the months that are older than AUDIT_RETENTION_DAYS. Resolves to the number of partitions and events that changed.
 */
export async function maintainAuditTrail({ database, config, clock }: Dependencies): Promise<number> {
  const { auditEvents } = database.system();
  const { auditRetentionDays, auditPersonalDataDays } = config;
  let changed = await auditEvents.createPartitions();
  if (auditRetentionDays > 0) changed += await dropOldMonths(database, auditRetentionDays);
  if (auditPersonalDataDays === 0) return changed;
  const before = new Date(clock().getTime() - auditPersonalDataDays * dayMs);
  for (let cleared = eventsPerBatch; cleared === eventsPerBatch; changed += cleared)
    cleared = await auditEvents.removePersonalData(before, eventsPerBatch);
  return changed;
}

/** Records the removal as an audit event. */
async function dropOldMonths(database: Database, days: number): Promise<number> {
  return database.system().transaction(async ({ auditEvents }) => {
    const partitions = await auditEvents.dropPartitions(days);
    if (partitions > 0)
      await auditEvents.create({ action: 'audit_events_pruned', details: { partitions, older_than_days: days } });
    return partitions;
  });
}
