import pg from 'pg';
import { scopeStatement, userRole } from './connection.ts';

// A user's statement in one round trip: what `pg` does not have a word for. Messages between two Syncs are one transaction
// (https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-PIPELINING), so the role and the user that the first message sets
// locally hold for the statement in the next ones, and for nothing after it. Where the first fails, the server skips the rest.

const scopeName = 'scope';
const prepared = new WeakSet<pg.ClientBase>();

interface Statement {
  text: string;
  values: unknown[];
  /** Undefined where it is not to be prepared. */
  name: string | undefined;
}

/** Runs one statement as `userRole`, for the user. The connection must be in no transaction. */
export function queryAs(client: pg.ClientBase, userId: string, statement: Statement): Promise<pg.QueryResult> {
  if (statement.name && !prepared.has(client)) {
    prepared.add(client);
    // Sets nothing; where it fails, the connection has broken, and so does what comes after it.
    client.query({ name: scopeName, text: scopeStatement, values: ['none', ''] }).catch(() => {});
  }
  return new Promise((resolve, reject) => {
    client.query(new QueryAs(userId, statement, (error, result) => (error ? reject(error) : resolve(result))));
  });
}

/** What `pg` hands to a query when it is its turn to send. */
interface Wire {
  parse(message: { text: string }): void;
  bind(message: { statement: string; values: string[] }): void;
  execute(message: object): void;
}

type Done = (error: Error | undefined, result: pg.QueryResult) => void;

// The methods that a query of `pg` is driven by, and which its types leave out.
const PgQuery = pg.Query as unknown as new (
  config: object,
  callback: Done,
) => pg.Query & {
  name?: string;
  prepare(wire: Wire): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, wire: Wire): void;
};

class QueryAs extends PgQuery {
  readonly #userId: string;
  #isScopeSet = false;

  constructor(userId: string, statement: Statement, done: Done) {
    super({ ...statement, queryMode: 'extended' }, done);
    this.#userId = userId;
  }

  override prepare(wire: Wire): void {
    if (!this.name) wire.parse({ text: scopeStatement });
    wire.bind({ statement: this.name ? scopeName : '', values: [userRole, this.#userId] });
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
