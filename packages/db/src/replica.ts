import type { ConnectionSource } from './connection.ts';
import { DatabaseUnavailable } from './errors.ts';
import { createUnits, type Units } from './units.ts';

/** How far a replica may be behind before the primary answers instead. */
const lagSecondsMax = 30;
const checkEveryMs = 5_000;

/** Seconds that the server is behind its primary; 0 if it has received and replayed everything. */
const lagQuery = `
  select case
    when not pg_is_in_recovery() then 0
    when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() and exists (select from pg_stat_wal_receiver where pid is not null) then 0
    else coalesce(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()), 0)
  end::float8 as seconds`;

export interface ReplicaState {
  /** Seconds behind the primary; undefined if the replica cannot be reached. */
  lagSeconds: number | undefined;
}

export interface Replica extends Units {
  state: () => ReplicaState;
  /** Asks the replica for its lag now. Never rejects. */
  check: () => Promise<void>;
}

/** Runs reads at a replica while it is up to date, and at the primary otherwise. Asks the replica for its lag only while it is used. */
export function createReplica(source: ConnectionSource, primary: Units): Replica {
  const replica = createUnits(source);
  let lagSeconds: number | undefined;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let isChecking = false;

  const check = async () => {
    try {
      const { rows } = await replica.onConnection(({ query }) => query<{ seconds: number }>(lagQuery), {
        canRepeat: true,
      });
      lagSeconds = rows[0]?.seconds;
    } catch {
      lagSeconds = undefined;
    }
    checkedAt = performance.now();
    isChecking = false;
  };
  /** By the last check. The next one runs beside the request, because a replica that hangs takes seconds to answer. */
  const isUsable = () => {
    if (!isChecking && performance.now() - checkedAt > checkEveryMs) {
      isChecking = true;
      void check();
    }
    return lagSeconds !== undefined && lagSeconds <= lagSecondsMax;
  };

  /** @param run may run twice */
  const either = async <T>(run: (units: Units) => Promise<T>): Promise<T> => {
    if (!isUsable()) return run(primary);
    try {
      return await run(replica);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
      lagSeconds = undefined;
      return run(primary);
    }
  };

  return {
    onConnection: (work, options) => either((units) => units.onConnection(work, options)),
    alone: (access) => ({
      db: (query) => either((units) => units.alone(access).db(query)),
      fast: (query) => either((units) => units.alone(access).fast(query)),
    }),
    transaction: (begin, work, finish) => {
      if (finish) throw new Error('a request with an Idempotency-Key used the replica, which only reads');
      return either((units) => units.transaction(begin, work));
    },
    refuseNesting: primary.refuseNesting,
    state: () => ({ lagSeconds }),
    check,
  };
}
