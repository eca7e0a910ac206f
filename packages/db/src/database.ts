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

/** Every repository, on one connection; each made when it is asked for. A new one is added here. */
class RepositoriesOn {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }
  get users() {
    return users(this.#db);
  }
  get userSessions() {
    return userSessions(this.#db);
  }
  get userPreferences() {
    return userPreferences(this.#db);
  }
  get tasks() {
    return tasks(this.#db);
  }
  get documents() {
    return documents(this.#db);
  }
  get oneTimeTokens() {
    return oneTimeTokens(this.#db);
  }
  get mails() {
    return mails(this.#db);
  }
  get auditEvents() {
    return auditEvents(this.#db);
  }
  // Above this line `npm run new -- resource` adds its own.
}

export type Repositories = Pick<RepositoriesOn, keyof RepositoriesOn>;
type Work<T> = (repositories: Repositories) => Promise<T>;

export interface WorkOptions {
  /**
   * The work is one statement, which is a transaction by itself: one round trip instead of two or three. A read is done again where its
   * connection breaks; a write is not, since nobody knows then whether it took place.
   */
  single?: 'read' | 'write';
  /**
   * That statement takes next to no time, whatever the data: by a primary key, or a page in the order of an index. It travels together
   * with those of others, on one connection.
   */
  quick?: boolean;
  /**
   * The server cancels a statement that takes longer: the work throws a `StatementTimeout`. Not together with `single`. The embedded database has no
   * such limit.
   */
  statementMsMax?: number;
}

/**
 * A database, and the only two ways to its repositories. `work` runs in a transaction: committed when it resolves, rolled back
 * when it throws. It may be run a second time, from the start, where a connection broke before the commit, or it lost a deadlock; so it
 * does nothing but use its repositories: hash before it, send mail after it.
 */
export interface Database {
  readonly isEmbedded: boolean;
  /**
   * For a user: row level security lets `work` see and write nothing but what belongs to `scope.userId`.
   */
  as<T>(scope: Scope, work: Work<T>, options?: WorkOptions): Promise<T>;
  /** For what must see every row: signing in, administration, jobs. */
  system<T>(work: Work<T>, options?: WorkOptions): Promise<T>;
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

  const acquire = (from: 'acquire' | 'acquireShared' = 'acquire') => {
    if (current.getStore()?.isOpen) {
      throw new Error(
        'a unit of work was begun inside another one, whose connection it would wait for: ' +
          'use the repositories that the outer work was given, or begin after it has ended',
      );
    }
    return source[from]();
  };

  const unitOfWork = async <T>(begin: string, work: Work<T>): Promise<T> => {
    const connection = await acquire();
    const unit: Unit = { isOpen: true };
    // Not awaited: on a server it is on its way together with the first statement of `work`.
    const begun = connection.execute(begin);
    begun.catch(() => {});
    let isCommitting = false;
    try {
      const result = await current.run(unit, () =>
        work(new RepositoriesOn(kyselyOn(executorOf(connection.query, unit)))),
      );
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

  /** @param Lost what a connection that breaks means */
  const onConnection = <T>(
    work: (connection: Connection) => Promise<T>,
    Lost: typeof NothingHappened,
    from?: 'acquireShared',
  ) =>
    onceMore(async () => {
      const connection = await acquire(from);
      try {
        const result = await work(connection);
        connection.release();
        return result;
      } catch (error) {
        const isLost = isConnectionLost(error);
        connection.release(isLost);
        if (isLost) throw new Lost(error);
        throw isDeadlockVictim(error) ? new NothingHappened(error) : explain(error);
      }
    });

  const single = <T>(
    { single: kind, quick }: WorkOptions,
    queryOn: (connection: Connection) => Query,
    work: Work<T>,
  ): Promise<T> =>
    onConnection(
      async (connection) => {
        const unit: Unit = { isOpen: true };
        const query = once(queryOn(connection));
        try {
          return await current.run(unit, () => work(new RepositoriesOn(kyselyOn(executorOf(query, unit)))));
        } finally {
          unit.isOpen = false;
        }
      },
      kind === 'read' ? NothingHappened : OutcomeUnknown,
      quick ? 'acquireShared' : undefined,
    );

  const inspect = <T>(work: (connection: Connection) => Promise<T>) => onConnection(work, NothingHappened);

  return {
    isEmbedded: source.isEmbedded,

    as: async ({ userId }, work, options = {}) => {
      if (!uuid.test(userId)) throw new Error('scope.userId is not a UUID');
      if (options.single)
        return single(
          options,
          ({ queryAs }) =>
            (text, values) =>
              queryAs(userId, text, values),
          work,
        );
      // The id becomes part of a statement, since one with parameters cannot travel together with others.
      const limit = options.statementMsMax ? `; set local statement_timeout = ${options.statementMsMax}` : '';
      const begin = `begin; set local role ${userRole}; select set_config('app.user_id', '${userId}', true)${limit}`;
      return onceMore(() => unitOfWork(begin, work));
    },

    system: async (work, options = {}) =>
      options.single ? single(options, ({ query }) => query, work) : onceMore(() => unitOfWork('begin', work)),

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

/** A connection broke while committing, or during a write that is a transaction by itself: whether it took place is not known, so nothing is tried again. */
class OutcomeUnknown extends DatabaseUnavailable {
  constructor(cause: unknown) {
    super('the connection to the database was lost during a write', { cause });
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

/** The query, for as long as it is the only one. */
function once(query: Query): Query {
  let isFirst = true;
  return async (text, values) => {
    if (!isFirst) throw new Error('a second statement, where `single` says that there is one: leave it out');
    isFirst = false;
    return query(text, values);
  };
}

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
