import { type Connection, type ConnectionSource, type PoolSize, userRole } from './connection.ts';
import { type Execute, kyselyOn } from './kysely.ts';
import {
  type OwnerRepositories,
  ownerRepositories,
  type SystemRepositories,
  systemRepositories,
} from './repositories/repositories.ts';
import type { Scope } from './scope.ts';
import { createUnits } from './units.ts';

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

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function createDatabase(source: ConnectionSource): Database {
  const { onConnection, alone, transaction, refuseNesting } = createUnits(source);

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
      refuseNesting();
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
