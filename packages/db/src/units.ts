import { AsyncLocalStorage } from 'node:async_hooks';
import type { CompiledQuery } from 'kysely';
import type { Connection, ConnectionSource, RowAccess } from './connection.ts';
import {
  ConnectionLostBeforeCommit,
  ConnectionLostDuringCommit,
  isConnectionLost,
  isLockTimeout,
  isPreparedStatementStale,
  isRolledBackForAnother,
  isServerReadOnly,
  toPublicError,
} from './errors.ts';
import { type Execute, isRead } from './kysely.ts';

/** A transaction in progress. */
interface Unit {
  isOpen: boolean;
  /** The first error of a statement. PostgreSQL commits nothing after it, even if `work` catches it. */
  failure?: unknown;
}

/** Milliseconds that a write on a shared connection may wait for a lock. */
const sharedLockMsMax = 10;

export type Units = ReturnType<typeof createUnits>;

/** Runs single statements and transactions on connections, and decides what is repeated. */
export function createUnits(source: ConnectionSource) {
  const current = new AsyncLocalStorage<Unit>();

  /** A unit of work inside another one would wait forever for a connection that the outer one holds. */
  const refuseNesting = () => {
    if (current.getStore()?.isOpen)
      throw new Error(
        'a unit of work began inside another one, and would wait for its connection forever: ' +
          'use the repositories of the outer one, or begin after it has ended',
      );
  };
  const acquire = (shared?: 'read' | 'write') => {
    refuseNesting();
    return shared ? source.acquireShared(shared) : source.acquire();
  };

  /** Whether the schema or the role of the server changed after the connection was made. If so, replaces all connections from before. */
  const isConnectionOutdated = (error: unknown): boolean => {
    const isOutdated = isPreparedStatementStale(error) || isServerReadOnly(error);
    if (isOutdated) source.replaceConnections();
    return isOutdated;
  };

  const onConnection = <T>(
    work: (connection: Connection) => Promise<T>,
    { canRepeat, shared }: { canRepeat: boolean; shared?: 'read' | 'write' | undefined },
  ) =>
    repeatOnce(async () => {
      const connection = await acquire(shared);
      try {
        const result = await work(connection);
        connection.release();
        return result;
      } catch (error) {
        const isLost = isConnectionLost(error);
        const isOutdated = isConnectionOutdated(error);
        connection.release(isLost || isOutdated);
        if (isOutdated || isRolledBackForAnother(error) || (isLost && canRepeat))
          throw new ConnectionLostBeforeCommit(error);
        throw isLost ? new ConnectionLostDuringCommit(error) : toPublicError(error);
      }
    });

  /** Runs each statement in a transaction of its own. */
  const alone = (access?: RowAccess): { db: Execute; fast: Execute } => {
    const run = (query: CompiledQuery, options: { shared?: 'read' | 'write'; lockMsMax?: number } = {}) =>
      onConnection(
        ({ queryWith }) => queryWith({ ...access, lockMsMax: options.lockMsMax }, query.sql, query.parameters),
        {
          canRepeat: isRead(query),
          shared: options.shared,
        },
      );
    return {
      db: (query) => run(query),
      fast: async (query) => {
        if (isRead(query)) return run(query, { shared: 'read' });
        // A write can wait for a lock (of a foreign key, for example), and everyone who shares its connection waits with it. So it soon gives up,
        // without effect, and waits on a connection of its own.
        try {
          return await run(query, { shared: 'write', lockMsMax: sharedLockMsMax });
        } catch (error) {
          if (!isLockTimeout(error)) throw error;
          return run(query);
        }
      },
    };
  };

  /** @param finish runs at the end of the transaction, in one round trip with the commit */
  const transaction = <T>(
    begin: string,
    work: (execute: Execute) => Promise<T>,
    finish?: (connection: Connection, result: T) => Promise<unknown>,
  ): Promise<T> =>
    repeatOnce(async () => {
      const connection = await acquire();
      const unit: Unit = { isOpen: true };
      // Not awaited: it travels to the server together with the first statement of `work`.
      const begun = connection.execute(begin);
      begun.catch(() => {});
      let isCommitting = false;
      try {
        const result = await current.run(unit, () => work(executeIn(unit, connection)));
        await begun;
        if (unit.failure)
          throw new Error('a statement failed, so the transaction cannot be committed', { cause: unit.failure });
        unit.isOpen = false;
        isCommitting = true;
        // `finish` sends its statements at once, so they precede the commit. If they fail, PostgreSQL rolls back instead.
        const finished = finish?.(connection, result);
        await Promise.all([finished, connection.execute('commit')]);
        connection.release();
        return result;
      } catch (thrown) {
        unit.isOpen = false;
        // If `begin` failed, later errors are only consequences of that.
        const error = await begun.then(
          () => thrown,
          (cause) => cause,
        );
        const cause = unit.failure ?? error;
        const isLost = isConnectionLost(error) || isConnectionLost(cause);
        const isOutdated = isConnectionOutdated(cause);
        const isRolledBack =
          !isLost &&
          (await connection.execute('rollback').then(
            () => true,
            () => false,
          ));
        connection.release(!isRolledBack || isOutdated);
        if (isLost) throw isCommitting ? new ConnectionLostDuringCommit(error) : new ConnectionLostBeforeCommit(error);
        throw isOutdated || isRolledBackForAnother(cause)
          ? new ConnectionLostBeforeCommit(error)
          : toPublicError(error);
      }
    });

  return { onConnection, alone, transaction, refuseNesting };
}

async function repeatOnce<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof ConnectionLostBeforeCommit) return attempt();
    throw error;
  }
}

/** Runs the statements of a transaction while it is open, and remembers the first failure. */
function executeIn(unit: Unit, { query }: Connection): Execute {
  return async ({ sql, parameters }) => {
    if (!unit.isOpen) throw new Error('this unit of work has ended: await every statement before its work resolves');
    try {
      return await query(sql, parameters);
    } catch (error) {
      unit.failure ??= error;
      throw error;
    }
  };
}
