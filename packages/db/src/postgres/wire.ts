import pg from 'pg';
import { scopeStatement, userRole } from '../connection.ts';

// One statement in one round trip and one write to the socket, for a user where that is asked for: what `pg` does not have a word for.
// Messages between two Syncs are one transaction (https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-PIPELINING), so the
// role and the user that the first message sets locally hold for the statement in the next ones, and for nothing after it. Where the
// first fails, the server skips the rest.

export interface Statement {
  text: string;
  values: unknown[];
  /** Undefined where it is not to be prepared. */
  name: string | undefined;
}

const scopeName = 'scope';

/** Runs one statement; with `userId` as `userRole`, for that user. The connection must be in no transaction then. */
export function runStatement(client: pg.ClientBase, statement: Statement, userId?: string): Promise<pg.QueryResult> {
  const known = knownOf(client);
  if (userId !== undefined && statement.name && !known.hasScope) {
    known.hasScope = true;
    // Sets nothing; where it fails, the connection has broken, and so does what comes after it.
    client.query({ name: scopeName, text: scopeStatement, values: ['none', ''] }).catch(() => {});
  }
  return new Promise((resolve, reject) => {
    const done: Done = (error, result) => (error ? reject(error) : resolve(result));
    client.query(new StatementQuery(statement, userId, known.columns, done));
  });
}

/** What a connection has been told, and has told: kept with it, since after a migration another one may tell otherwise. */
interface Known {
  hasScope: boolean;
  /** The columns of what prepared statements return, by the statements' names. They stay so for as long as a statement is prepared. */
  columns: Map<string, Columns>;
}
const knownByClient = new WeakMap<pg.ClientBase, Known>();

function knownOf(client: pg.ClientBase): Known {
  let known = knownByClient.get(client);
  if (!known) {
    known = { hasScope: false, columns: new Map() };
    knownByClient.set(client, known);
  }
  return known;
}

// The methods that a query of `pg` is driven by, and which its types leave out.

/** What `pg` hands to a query when it is its turn to send. */
interface Wire {
  parse(message: { text: string }): void;
  bind(message: { statement: string; values: string[] }): void;
  describe(message: object): void;
  execute(message: object): void;
  _send(bytes: Buffer): void;
}
interface Columns {
  fields: unknown[];
  _parsers: unknown;
  _prebuiltEmptyResultObject: unknown;
}
type Done = (error: Error | undefined, result: pg.QueryResult) => void;

const PgQuery = pg.Query as unknown as new (
  text: string,
  values: unknown[],
  callback: Done,
) => pg.Query & {
  name: string | undefined;
  queryMode: string;
  _canceledDueToError: unknown;
  _result: Columns & { rows: unknown[]; parseRow(fields: unknown[]): unknown };
  prepare(wire: Wire): void;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: { fields: unknown[] }): void;
  handleCommandComplete(message: unknown, wire: Wire): void;
};

/** Collects messages, and sends them together: a system call for each cost more than what they asked for. */
interface Letter extends Wire {
  post(): void;
}
const letters = new WeakMap<Wire, { letter: Letter; describe: boolean }>();

function letterTo(wire: Wire, { describe }: { describe: boolean }): Letter {
  let kept = letters.get(wire);
  if (!kept) {
    const messages: Buffer[] = [];
    const own = {
      _send: (message: Buffer) => void messages.push(message),
      describe: (message: object) => {
        if (kept?.describe) wire.describe.call(letter, message);
      },
      post: () => wire._send(Buffer.concat(messages.splice(0))),
    };
    const letter: Letter = Object.assign(Object.create(wire), own);
    kept = { letter, describe };
    letters.set(wire, kept);
  }
  kept.describe = describe;
  return kept.letter;
}

class StatementQuery extends PgQuery {
  readonly #userId: string | undefined;
  readonly #known: Map<string, Columns>;
  #isScopeSet: boolean;

  constructor(statement: Statement, userId: string | undefined, known: Map<string, Columns>, done: Done) {
    super(statement.text, statement.values, done);
    this.name = statement.name;
    this.queryMode = 'extended';
    this.#userId = userId;
    this.#isScopeSet = userId === undefined;
    this.#known = known;
  }

  override prepare(wire: Wire): void {
    const columns = this.name ? this.#known.get(this.name) : undefined;
    if (columns) Object.assign(this._result, columns);
    const letter = letterTo(wire, { describe: columns === undefined });
    if (this.#userId !== undefined) {
      if (!this.name) letter.parse({ text: scopeStatement });
      letter.bind({ statement: this.name ? scopeName : '', values: [userRole, this.#userId] });
      letter.execute({});
    }
    super.prepare(letter);
    letter.post();
  }

  override handleRowDescription(message: unknown): void {
    super.handleRowDescription(message);
    const { fields, _parsers, _prebuiltEmptyResultObject } = this._result;
    if (this.name) this.#known.set(this.name, { fields, _parsers, _prebuiltEmptyResultObject });
  }

  // As in `pg`, but without an event for each row, which nobody listens to.
  override handleDataRow({ fields }: { fields: unknown[] }): void {
    if (!this.#isScopeSet || this._canceledDueToError) return;
    try {
      this._result.rows.push(this._result.parseRow(fields));
    } catch (error) {
      this._canceledDueToError = error;
    }
  }

  override handleCommandComplete(message: unknown, wire: Wire): void {
    if (this.#isScopeSet) super.handleCommandComplete(message, wire);
    this.#isScopeSet = true;
  }
}
