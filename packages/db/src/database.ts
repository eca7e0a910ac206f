import { AsyncLocalStorage } from 'node:async_hooks';
import type { CompiledQuery } from 'kysely';
import {
  type Answer,
  type Connection,
  type ConnectionSource,
  type Connections,
  kyselyOn,
  userRole,
} from './connection.ts';
import { auditEvents } from './repositories/audit-events.ts';
import { documents } from './repositories/documents.ts';
import { mails } from './repositories/mails.ts';
import { oneTimeTokens } from './repositories/one-time-tokens.ts';
import { tasks } from './repositories/tasks.ts';
import { userPreferences } from './repositories/user-preferences.ts';
import { userSessions } from './repositories/user-sessions.ts';
import { users } from './repositories/users.ts';
import type { Scope } from './scope.ts';
import { DatabaseUnavailable, explain, isConnectionLost, isDeadlockVictim } from './unavailable.ts';

type Db = Parameters<typeof users>[0];

/** Every repository, on one connection. A new one is added here. */
const repositories = (db: Db) => ({
  users: users(db),
  userSessions: userSessions(db),
  userPreferences: userPreferences(db),
  tasks: tasks(db),
  documents: documents(db),
  oneTimeTokens: oneTimeTokens(db),
  mails: mails(db),
  auditEvents: auditEvents(db),
});

export type Repositories = ReturnType<typeof repositories>;
type Work<T> = (repositories: Repositories) => Promise<T>;

/**
 * A database, and the only two ways to its repositories. `work` runs in a transaction: committed when it resolves, rolled back
 * when it throws. It may be run a second time, from the start, where a connection broke before the commit, or it lost a deadlock; so it
 * does nothing but use its repositories: hash before it, send mail after it.
 */
export interface Database {
  readonly isEmbedded: boolean;
  /**
   * For a user: row level security lets `work` see and write nothing but what belongs to `scope.userId`.
   * `transaction: false` runs each statement by itself, which saves a round trip: for reading with a single one.
   */
  as<T>(scope: Scope, work: Work<T>, options?: { transaction: boolean }): Promise<T>;
  /** For what must see every row: signing in, administration, jobs. `transaction: false` as above. */
  system<T>(work: Work<T>, options?: { transaction: boolean }): Promise<T>;
  /** A bare connection from the pool, as the owner of the schema: for reading the catalogue. Tried once more where it broke. */
  inspect<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** A bare connection of its own, without time limits, as the owner of the schema: for migrations and bulk work. */
  maintain<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  connections(): Connections;
  /** Resolves when the database answers. @throws DatabaseUnavailable */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A unit of work that has begun: what runs inside it finds it here. */
interface Unit {
  isOpen: boolean;
  /** The first error of a statement: PostgreSQL then commits nothing any more, whatever the caller makes of it. */
  failure?: unknown;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function createDatabase(source: ConnectionSource): Database {
  const current = new AsyncLocalStorage<Unit>();

  const acquire = () => {
    if (current.getStore()?.isOpen) {
      throw new Error(
        'a unit of work was begun inside another one, whose connection it would wait for: ' +
          'use the repositories that the outer work was given, or begin after it has ended',
      );
    }
    return source.acquire();
  };

  const unitOfWork = async <T>(begin: string, work: Work<T>): Promise<T> => {
    const connection = await acquire();
    const unit: Unit = { isOpen: true };
    // Not awaited: on a server it is on its way together with the first statement of `work`.
    const begun = connection.execute(begin);
    begun.catch(() => {});
    let isCommitting = false;
    try {
      const result = await current.run(unit, () => work(repositories(kyselyOn(executorOf(connection.query, unit)))));
      await begun;
      if (unit.failure)
        throw new Error('a statement failed, so nothing of this unit of work can be committed', {
          cause: unit.failure,
        });
      unit.isOpen = false;
      isCommitting = true;
      await connection.execute('commit');
      connection.release();
      return result;
    } catch (thrown) {
      unit.isOpen = false;
      // Where the begin failed, what failed after it is only a consequence.
      const error = await begun.then(
        () => thrown,
        (cause) => cause,
      );
      const isLost = isConnectionLost(error) || isConnectionLost(unit.failure);
      const isRolledBack =
        !isLost &&
        (await connection.execute('rollback').then(
          () => true,
          () => false,
        ));
      connection.release(!isRolledBack);
      if (isLost) throw isCommitting ? new OutcomeUnknown(error) : new NothingHappened(error);
      throw isDeadlockVictim(unit.failure ?? error) ? new NothingHappened(error) : explain(error);
    }
  };

  const inspect = <T>(work: (connection: Connection) => Promise<T>) =>
    onceMore(async () => {
      const connection = await acquire();
      try {
        const result = await work(connection);
        connection.release();
        return result;
      } catch (error) {
        const isLost = isConnectionLost(error);
        connection.release(isLost);
        throw isLost || isDeadlockVictim(error) ? new NothingHappened(error) : explain(error);
      }
    });

  const statements = <T>(queryOn: (connection: Connection) => Query, work: Work<T>): Promise<T> =>
    inspect(async (connection) => {
      const unit: Unit = { isOpen: true };
      try {
        return await current.run(unit, () => work(repositories(kyselyOn(executorOf(queryOn(connection), unit)))));
      } finally {
        unit.isOpen = false;
      }
    });

  return {
    isEmbedded: source.isEmbedded,

    as: async ({ userId }, work, { transaction } = { transaction: true }) => {
      if (!uuid.test(userId)) throw new Error('scope.userId is not a UUID');
      if (!transaction)
        return statements(
          ({ queryAs }) =>
            (text, values) =>
              queryAs(userId, text, values),
          work,
        );
      // The id becomes part of a statement, since one with parameters cannot travel together with others.
      const begin = `begin; set local role ${userRole}; select set_config('app.user_id', '${userId}', true)`;
      return onceMore(() => unitOfWork(begin, work));
    },

    system: async (work, { transaction } = { transaction: true }) =>
      transaction ? onceMore(() => unitOfWork('begin', work)) : statements(({ query }) => query, work),

    maintain: async (work) => {
      if (current.getStore()?.isOpen) throw new Error('maintenance was begun inside a unit of work');
      const connection = await source.acquireUnlimited();
      try {
        return await work(connection);
      } finally {
        connection.release();
      }
    },

    inspect,
    connections: () => source.connections(),
    ping: async () => void (await inspect((connection) => connection.query('select 1'))),
    close: () => source.close(),
  };
}

/** A connection broke before anything was committed, or PostgreSQL gave the work up for that of others: it can be done again. */
class NothingHappened extends DatabaseUnavailable {
  constructor(cause: unknown) {
    super('the connection to the database was lost, or its work given up', { cause });
  }
}

/** A connection broke while committing: whether it took place is not known, so nothing is tried again. */
class OutcomeUnknown extends DatabaseUnavailable {
  constructor(cause: unknown) {
    super('the connection to the database was lost during a commit', { cause });
  }
}

async function onceMore<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof NothingHappened) return attempt();
    throw error;
  }
}

type Query = <Row>(text: string, values: readonly unknown[]) => Promise<Answer<Row>>;

/** Runs Kysely's queries for as long as the unit is open, and remembers the first failure. */
function executorOf(query: Query, unit: Unit) {
  return {
    executeQuery: async <Row>({ sql, parameters }: CompiledQuery) => {
      if (!unit.isOpen) throw new Error('this unit of work has ended: await every query before its work resolves');
      try {
        const { rows, affectedRows } = await query<Row>(sql, parameters);
        return { rows, numAffectedRows: BigInt(affectedRows) };
      } catch (error) {
        unit.failure ??= error;
        throw error;
      }
    },
  };
}
