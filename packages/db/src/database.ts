import { AsyncLocalStorage } from 'node:async_hooks';
import type { CompiledQuery } from 'kysely';
import { type Connection, type ConnectionSource, type PoolSize, userRole } from './connection.ts';
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
import { type Execute, isRead, kyselyOn } from './kysely.ts';
import {
  type OwnerRepositories,
  ownerRepositories,
  type SystemRepositories,
  systemRepositories,
} from './repositories/repositories.ts';
import type { Scope } from './scope.ts';

/**
 * A database. Repositories come from `as` and `system` only. Outside of `transaction`, each statement is a transaction by itself:
 *
 *     const task = await database.as(scope).tasks.find(id);
 *
 * Several statements are one transaction in `transaction`:
 *
 *     await database.system().transaction(async ({ users, auditEvents }) => { … });
 */
export interface Database {
  readonly isEmbedded: boolean;
  /** For a user: row level security hides every row that does not belong to `scope.owner`. */
  as(scope: Scope): OwnerDatabase;
  /** For work that needs the rows of all users: signing in, administration, jobs. */
  system(): SystemDatabase;
  /** Runs `work` with a connection of the pool, as the role that connected: to read the catalogue. Repeated once if the connection breaks. */
  inspect<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Runs `work` with a connection of its own, without time limits, as the role that connected: for migrations and bulk work. */
  maintain<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  poolSize(): PoolSize;
  /** Resolves if the database answers and can be written. @throws DatabaseUnavailable */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type OwnerDatabase = OwnerRepositories & Transactions<OwnerRepositories>;
export type SystemDatabase = SystemRepositories & Transactions<SystemRepositories>;

interface Transactions<Repositories> {
  /**
   * Commits when `work` resolves and rolls back when it throws. `work` may run twice, if the connection breaks before the commit or PostgreSQL
   * resolves a deadlock. So it only uses its repositories: hash before it, send mail after it.
   */
  transaction<T>(work: (repositories: Repositories) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

export interface TransactionOptions {
  /** The server cancels a statement that takes longer (`StatementTimeout`). The embedded database cannot. */
  statementMsMax?: number;
}

/** A transaction in progress. */
interface Unit {
  isOpen: boolean;
  /** The first error of a statement. PostgreSQL commits nothing after it, even if `work` catches it. */
  failure?: unknown;
}

/** Milliseconds that a write on a shared connection may wait for a lock. */
const sharedLockMsMax = 10;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function createDatabase(source: ConnectionSource): Database {
  const current = new AsyncLocalStorage<Unit>();

  const acquire = (shared?: 'read' | 'write') => {
    if (current.getStore()?.isOpen) {
      throw new Error(
        'a unit of work began inside another one, and would wait for its connection forever: ' +
          'use the repositories of the outer one, or begin after it has ended',
      );
    }
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
  const alone = (userId?: string): { db: Execute; fast: Execute } => {
    const run = (query: CompiledQuery, options: { shared?: 'read' | 'write'; lockMsMax?: number } = {}) =>
      onConnection(
        ({ queryWith }) => queryWith({ userId, lockMsMax: options.lockMsMax }, query.sql, query.parameters),
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

  const transaction = <T>(begin: string, work: (execute: Execute) => Promise<T>): Promise<T> =>
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
        await connection.execute('commit');
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

  const system: SystemDatabase = Object.assign(systemRepositories(contextOf(alone())), {
    transaction: <T>(work: (repositories: SystemRepositories) => Promise<T>, options?: TransactionOptions) =>
      transaction(`begin${timeoutStatement(options)}`, (execute) =>
        work(systemRepositories(contextOf({ db: execute, fast: execute }))),
      ),
  });

  const inspect = <T>(work: (connection: Connection) => Promise<T>) => onConnection(work, { canRepeat: true });

  return {
    isEmbedded: source.isEmbedded,
    system: () => system,
    as: (scope) => {
      const { userId } = scope.owner;
      // The id becomes part of a statement, because a statement with parameters cannot travel together with others.
      if (!uuid.test(userId)) throw new Error('scope.owner.userId is not a UUID');
      const begin = `begin; set local role ${userRole}; select set_config('app.user_id', '${userId}', true)`;
      return Object.assign(ownerRepositories({ ...contextOf(alone(userId)), scope }), {
        transaction: <T>(work: (repositories: OwnerRepositories) => Promise<T>, options?: TransactionOptions) =>
          transaction(`${begin}${timeoutStatement(options)}`, (execute) =>
            work(ownerRepositories({ ...contextOf({ db: execute, fast: execute }), scope })),
          ),
      });
    },

    maintain: async (work) => {
      if (current.getStore()?.isOpen)
        throw new Error('maintenance cannot begin inside a unit of work: begin it after the unit has ended');
      const connection = await source.acquireUnlimited();
      try {
        return await work(connection);
      } finally {
        connection.release();
      }
    },

    inspect,
    poolSize: () => source.poolSize(),
    ping: () => inspect(source.check),
    close: () => source.close(),
  };
}

const contextOf = ({ db, fast }: { db: Execute; fast: Execute }) => ({ db: kyselyOn(db), fast: kyselyOn(fast) });

const timeoutStatement = ({ statementMsMax }: TransactionOptions = {}) =>
  statementMsMax === undefined ? '' : `; set local statement_timeout = ${statementMsMax}`;

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
