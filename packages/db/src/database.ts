import {
  type Connection,
  type ConnectionSource,
  type PoolSize,
  type QueryResult,
  type RowAccess,
  settingsScript,
} from './connection.ts';
import { toPublicError } from './errors.ts';
import { type Execute, kyselyOn } from './kysely.ts';
import { createReplica, type ReplicaState } from './replica.ts';
import type { Context } from './repositories/context.ts';
import { insertAnswer } from './repositories/idempotency-keys.ts';
import {
  type OrganizationRepositories,
  type OwnerRepositories,
  organizationRepositories,
  ownerRepositories,
  type PublicRepositories,
  publicRepositories,
  type SharedRepositories,
  type SystemRepositories,
  systemRepositories,
} from './repositories/repositories.ts';
import type { Idempotency, OrganizationScope, OwnerScope, Scope } from './scope.ts';
import { createUnits, type Units } from './units.ts';

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
  /** For a member of an organization: row level security hides every row that does not belong to it, and all of them once the membership has ended. */
  as(scope: OrganizationScope): OrganizationDatabase;
  as(scope: OwnerScope): SharedDatabase;
  /** For anybody: row level security hides every row that no policy makes public. Reads only. */
  public(): PublicDatabase;
  /** For a job of a user: row level security hides every row that does not belong to the user. */
  asUser(userId: string): OwnerDatabase;
  /**
   * For work that needs the rows of all users: signing in, administration, jobs.
   *
   * @param scope of a request with an Idempotency-Key, for the transaction that has its effect
   */
  system(scope?: Scope): SystemDatabase;
  /** Reads from the read replica, if there is one and it is up to date, and else from the primary. What it returns can be 30 seconds old. */
  readonly replica: Scopes;
  /** The last known state of the read replica; undefined without one. */
  replicaState(): ReplicaState | undefined;
  /** Asks the read replica for its state now. */
  checkReplica(): Promise<ReplicaState | undefined>;
  /** Runs `work` with a connection of the pool, as the role that connected: to read the catalogue. Repeated once if the connection breaks. */
  inspect<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Runs `work` with a connection of its own, without time limits, as the role that connected: for migrations and bulk work. */
  maintain<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Runs one transaction as the role that connected, with a connection of its own and without time limits: for commands that read whole tables. */
  unlimited<T>(work: (repositories: SystemRepositories) => Promise<T>): Promise<T>;
  /** Runs a statement of the job library, or several without values, as the role that connected. Never repeated. */
  execute(text: string, values?: readonly unknown[]): Promise<QueryResult<Record<string, unknown>>[]>;
  poolSize(): PoolSize;
  /** Resolves if the database answers and can be written. @throws DatabaseUnavailable */
  ping(): Promise<void>;
  close(): Promise<void>;
}

type Scopes = Pick<Database, 'as' | 'public' | 'system'>;

export type OwnerDatabase = OwnerRepositories & Effects<OwnerRepositories>;
export type OrganizationDatabase = OrganizationRepositories & Effects<OrganizationRepositories>;
export type PublicDatabase = PublicRepositories & Transactions<PublicRepositories>;
/** For rows that belong to a user or to an organization. */
export type SharedDatabase = SharedRepositories & Effects<SharedRepositories>;

interface Effects<Repositories> extends Transactions<Repositories> {
  /**
   * Runs the change of a request. Without an Idempotency-Key, each statement is a transaction by itself, so at most one of them may write. With a key, all are one
   * transaction, which also stores the answer; `work` may then run twice. Throw inside `work` what the caller should get instead of a success.
   */
  effect<T>(work: (repositories: Repositories) => Promise<T>): Promise<T>;
}
export type SystemDatabase = SystemRepositories & Transactions<SystemRepositories>;

export interface Transactions<Repositories> {
  /**
   * Commits when `work` resolves and rolls back when it throws. `work` may run twice, if the connection breaks before the commit or PostgreSQL
   * resolves a deadlock. So it only uses its repositories: hash before it, send mail after it.
   *
   * With an Idempotency-Key, it also stores the answer, which follows from the result of `work`. So a request has at most one transaction in its scope, and the
   * service returns its result.
   *
   * @throws AlreadyAnswered
   */
  transaction<T>(work: (repositories: Repositories) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

export interface TransactionOptions {
  /** The server cancels a statement that takes longer (`StatementTimeout`). The embedded database cannot. */
  statementMsMax?: number;
}

export function createDatabase(source: ConnectionSource, replicaSource?: ConnectionSource): Database {
  const units = createUnits(source);
  const { onConnection, refuseNesting } = units;
  const replica = replicaSource && createReplica(replicaSource, units);
  const main = repositoriesOn(units);

  const inspect = <T>(work: (connection: Connection) => Promise<T>) => onConnection(work, { canRepeat: true });

  return {
    isEmbedded: source.isEmbedded,
    ...main,
    asUser: (userId) => main.as({ actor: { via: 'job', userId }, owner: { userId }, isAdmin: false }),
    replica: replica ? repositoriesOn(replica) : main,
    replicaState: () => replica?.state(),
    checkReplica: async () => {
      await replica?.check();
      return replica?.state();
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
    unlimited: async (work) => {
      refuseNesting();
      const connection = await source.acquireUnlimited();
      try {
        await connection.execute('begin');
        const execute: Execute = ({ sql, parameters }) => connection.query(sql, parameters);
        const result = await work(systemRepositories(contextOf({ db: execute, fast: execute })));
        await connection.execute('commit');
        return result;
      } catch (error) {
        await connection.execute('rollback').catch(() => {});
        throw toPublicError(error);
      } finally {
        connection.release();
      }
    },
    execute: (text, values = []) =>
      onConnection(
        async (connection) => {
          if (values.length > 0) return [await connection.query(text, values)];
          return connection.execute(text).catch(async (error) => {
            // The script may have begun a transaction, and the next user of the connection would be in it.
            await connection.execute('rollback').catch(() => {});
            throw error;
          });
        },
        { canRepeat: false },
      ),
    poolSize: () => source.poolSize(),
    ping: () => inspect(source.check),
    close: async () => void (await Promise.all([source.close(), replicaSource?.close()])),
  };
}

function repositoriesOn({ alone, transaction }: Units): Scopes {
  const transactionWithAnswer = async <T>(
    idempotency: Idempotency | undefined,
    begin: string,
    work: (execute: Execute) => Promise<T>,
  ): Promise<T> => {
    if (!idempotency) return transaction(begin, work);
    if (idempotency.isStored) throw new Error('a request with an Idempotency-Key has two transactions in its scope');
    const result = await transaction(begin, work, (connection, value) => storeAnswer(connection, idempotency, value));
    idempotency.isStored = true;
    return result;
  };

  const systemFor = (idempotency?: Idempotency): SystemDatabase =>
    Object.assign(systemRepositories(contextOf(alone())), {
      transaction: <T>(work: (repositories: SystemRepositories) => Promise<T>, options?: TransactionOptions) =>
        transactionWithAnswer(idempotency, `begin${timeoutStatement(options)}`, (execute) =>
          work(systemRepositories(contextOf({ db: execute, fast: execute }))),
        ),
    });
  const system = systemFor();

  const everybody: RowAccess = { isPublic: true };
  const publicDatabase: PublicDatabase = Object.assign(publicRepositories(contextOf(alone(everybody))), {
    transaction: <T>(work: (repositories: PublicRepositories) => Promise<T>, options?: TransactionOptions) =>
      transaction(`begin; ${settingsScript(everybody)}${timeoutStatement(options)}`, (execute) =>
        work(publicRepositories(contextOf({ db: execute, fast: execute }))),
      ),
  });

  const scoped = <S extends OwnerScope, Repositories extends object>(
    scope: S,
    repositoriesOf: (context: Context & { scope: S }) => Repositories,
  ): Repositories & Effects<Repositories> => {
    const { idempotency, owner, actor } = scope;
    const access: RowAccess = owner.userId === undefined ? { ...owner, memberId: actor.userId } : owner;
    const begin = `begin; ${settingsScript(access)}`;
    const repositories = repositoriesOf({ ...contextOf(alone(access)), scope });
    const inTransaction: Effects<Repositories>['transaction'] = (work, options) =>
      transactionWithAnswer(idempotency, `${begin}${timeoutStatement(options)}`, (execute) =>
        work(repositoriesOf({ ...contextOf({ db: execute, fast: execute }), scope })),
      );
    return Object.assign(repositories, {
      transaction: inTransaction,
      effect: <T>(work: (repositories: Repositories) => Promise<T>) =>
        idempotency ? inTransaction(work) : work(repositories),
    });
  };

  return {
    system: (scope) => (scope?.idempotency ? systemFor(scope.idempotency) : system),
    public: () => publicDatabase,
    as: ((scope: OwnerScope) =>
      isOfOrganization(scope)
        ? scoped(scope, organizationRepositories)
        : scoped(scope, ownerRepositories)) as Scopes['as'],
  };
}

const isOfOrganization = (scope: OwnerScope): scope is OrganizationScope => scope.owner.organizationId !== undefined;

/** Stores the answer of a request as the role that connected, because an admin's answer is not a row of the owner. */
function storeAnswer(
  { execute, query }: Connection,
  { userId, keyHash, fingerprint, answerOf }: Idempotency,
  result: unknown,
) {
  const { status, headers, body } = answerOf(result);
  const values = [userId, keyHash, fingerprint, status, headers, body];
  return Promise.all([execute('reset role'), query(insertAnswer, values)]);
}

const contextOf = ({ db, fast }: { db: Execute; fast: Execute }) => ({ db: kyselyOn(db), fast: kyselyOn(fast) });

const timeoutStatement = ({ statementMsMax }: TransactionOptions = {}) =>
  statementMsMax === undefined ? '' : `; set local statement_timeout = ${statementMsMax}`;
