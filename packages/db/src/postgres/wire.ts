import type { Duplex } from 'node:stream';
import pg from 'pg';
import { scopeStatement, userRole } from '../connection.ts';

// One round trip for a statement with row level security: `pg` has no public way to send two statements before one Sync. The messages between
// two Syncs are one transaction (https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-PIPELINING), so the role and the user that the
// first statement sets locally hold for the second one only. If the first one fails, the server skips the second. `begin; set …`, statement and
// `commit` over the public API reach 45 % of this throughput (docs/performance.md). wire.test.ts fails if `pg` changes what this file relies on.

/** A statement for `pg`. Without a name it is not prepared. */
export interface Statement {
  text: string;
  values: unknown[];
  name: string | undefined;
}

type Done = (error: Error | undefined, result: pg.QueryResult) => void;

/** The part of `pg`'s Connection that a query sends its messages with. */
interface Wire {
  submittedNamedStatements: Record<string, string>;
  parse(message: { text: string; name: string | undefined }): void;
  bind(message: { statement: string | undefined; values: string[] }): void;
  execute(message: object): void;
}

/** The part of `pg`'s Query that its types leave out. */
const InternalQuery = pg.Query as unknown as new (
  statement: Statement & { queryMode: 'extended' },
  values: undefined,
  done: Done,
) => pg.Query & {
  prepare(wire: Wire): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, wire: Wire): void;
};

const scopeName = 'scope';

class ScopedQuery extends InternalQuery {
  readonly #userId: string;
  readonly #isPrepared: boolean;
  #isScopeSet = false;

  constructor(statement: Statement, userId: string, done: Done) {
    // Without `queryMode`, `pg` sends an unprepared statement without values as a simple query, without the scope.
    super({ ...statement, queryMode: 'extended' }, undefined, done);
    this.#userId = userId;
    this.#isPrepared = statement.name !== undefined;
  }

  override prepare(wire: Wire): void {
    const name = this.#isPrepared ? scopeName : undefined;
    if (!name || !wire.submittedNamedStatements[name]) wire.parse({ text: scopeStatement, name });
    if (name) wire.submittedNamedStatements[name] = scopeStatement;
    wire.bind({ statement: name, values: [userRole, this.#userId] });
    wire.execute({});
    super.prepare(wire);
  }

  override handleDataRow(message: unknown): void {
    if (this.#isScopeSet) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, wire: Wire): void {
    if (this.#isScopeSet) super.handleCommandComplete(message, wire);
    this.#isScopeSet = true;
  }
}

/** Runs a statement as `userRole` for this user. The connection must not be in a transaction. */
export const runAs = (client: pg.ClientBase, userId: string, statement: Statement): Promise<pg.QueryResult> =>
  new Promise((resolve, reject) => {
    client.query(new ScopedQuery(statement, userId, (error, result) => (error ? reject(error) : resolve(result))));
  });

/** Sends everything that is written to this connection in the current event-loop turn with one system call. */
export function writeTogether(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection;
  stream.cork();
  setImmediate(() => stream.uncork());
}
