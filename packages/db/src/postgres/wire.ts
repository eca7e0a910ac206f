import type { Duplex } from 'node:stream';
import pg from 'pg';

// One round trip for a statement and its settings: `pg` has no public way to send two statements before one Sync. The messages between two Syncs
// are one transaction (https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-PIPELINING), so what the first statement sets locally holds
// for the second one only. If the first one fails, the server skips the second. `begin; set …`, statement and
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
  /** Statements by name whose Parse was sent. */
  submittedNamedStatements: Record<string, string>;
  /** Statements by name whose Parse succeeded. */
  parsedStatements: Record<string, string>;
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
  name: string | undefined;
  prepare(wire: Wire): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, wire: Wire): void;
};

class PrecededQuery extends InternalQuery {
  readonly #first: Statement;
  #isFirstComplete = false;

  constructor(first: Statement, last: Statement, done: Done) {
    // Without `queryMode`, `pg` sends an unprepared statement without values as a simple query, without the first one.
    super({ ...last, queryMode: 'extended' }, undefined, done);
    this.#first = first;
  }

  override prepare(wire: Wire): void {
    // A name is used when its Parse has succeeded, because a Parse can fail: it waits for locks, and `lock_timeout` ends that.
    const { text, values } = this.#first;
    let { name } = this.#first;
    const isParsed = name !== undefined && name in wire.parsedStatements;
    if (!isParsed) {
      if (name && name in wire.submittedNamedStatements) name = undefined;
      wire.parse({ text, name });
      if (name) wire.submittedNamedStatements[name] = text;
    }
    wire.bind({ statement: name, values: values as string[] });
    wire.execute({});
    // `pg` takes the first ParseComplete for that of the last statement, so there may be only one.
    const isPending = (one: string) => one in wire.submittedNamedStatements && !(one in wire.parsedStatements);
    if (!isParsed || (this.name && isPending(this.name))) this.name = undefined;
    super.prepare(wire);
  }

  override handleDataRow(message: unknown): void {
    if (this.#isFirstComplete) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, wire: Wire): void {
    const { name, text } = this.#first;
    if (this.#isFirstComplete) super.handleCommandComplete(message, wire);
    else if (name && name in wire.submittedNamedStatements) wire.parsedStatements[name] = text;
    this.#isFirstComplete = true;
  }
}

/**
 * Runs two statements in one transaction and one round trip, and resolves to the result of the last. The connection must not be in a transaction.
 *
 * @param first its values are strings
 */
export const runTogether = (client: pg.ClientBase, first: Statement, last: Statement): Promise<pg.QueryResult> =>
  new Promise((resolve, reject) => {
    client.query(new PrecededQuery(first, last, (error, result) => (error ? reject(error) : resolve(result))));
  });

/** Sends everything that is written to this connection in the current event-loop turn with one system call. */
export function writeTogether(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection;
  stream.cork();
  setImmediate(() => stream.uncork());
}
