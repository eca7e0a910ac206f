import type { PgBoss } from 'pg-boss';
import { queueNameOf } from './boss.ts';
import type { JobDefinition } from './job.ts';

interface Claim {
  id: string;
  retryCount: number;
}

/** Records that a job is done. */
export type SettleDone = (definition: JobDefinition, claim: Claim) => Promise<void>;

/** Records jobs that are done: deletes them, or completes those of kinds that are kept. One statement records those that are done at the same time. */
export function createSettleDone(open: () => Promise<PgBoss>): SettleDone {
  const collected = new Map<JobDefinition, { claims: Claim[]; settled: Promise<void> }>();

  const settleSoon = async (definition: JobDefinition, claims: Claim[]) => {
    await new Promise((resolve) => setImmediate(resolve));
    collected.delete(definition);
    const boss = await open();
    const queue = queueNameOf(definition.name);
    await (definition.isKept ? boss.complete(queue, claims) : boss.deleteJob(queue, claims));
  };

  return (definition, claim) => {
    const known = collected.get(definition);
    if (known) {
      known.claims.push(claim);
      return known.settled;
    }
    const claims = [claim];
    const settled = settleSoon(definition, claims);
    collected.set(definition, { claims, settled });
    return settled;
  };
}
