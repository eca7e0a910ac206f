import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import pg from 'pg';
import type { Connection } from '../connection.ts';
import { DatabaseUnavailable } from '../errors.ts';
import type { ServerUrl, SessionKind } from './server-url.ts';

/** Whether a session of each kind is refused, as a SQL expression. */
const refusals: Record<SessionKind, string> = {
  any: 'false',
  'read-write': `pg_is_in_recovery() or current_setting('transaction_read_only')::boolean`,
  primary: 'pg_is_in_recovery()',
  standby: 'not pg_is_in_recovery()',
  'read-only': `not (pg_is_in_recovery() or current_setting('transaction_read_only')::boolean)`,
};

/** The server answers but has the wrong role: a standby, for example, after a failover. */
export class WrongServerRole extends DatabaseUnavailable {
  override name = 'WrongServerRole';
  /** As a statement that writes would report it. */
  readonly code = '25006';
}

/**
 * Checks that a session is of this kind.
 *
 * @returns whether the rows of the database can lie on other servers (Citus)
 * @throws WrongServerRole
 */
export async function checkServer(query: Connection['query'], kind: SessionKind): Promise<boolean> {
  const { rows } = await query<{ is_refused: boolean; is_distributed: boolean }>(
    `select ${refusals[kind]} as is_refused, exists (select from pg_extension where extname = 'citus') as is_distributed`,
  );
  if (rows[0]?.is_refused) throw new WrongServerRole(`the server does not accept ${kind} sessions`);
  return rows[0]?.is_distributed ?? false;
}

const cancelMsMax = 1_000;

/** Fields of `pg.Client` that its types leave out. */
interface Internals {
  host: string;
  port: number;
  ssl: pg.ConnectionConfig['ssl'];
  processID: number;
  secretKey: number;
}

/** Methods of `pg.Connection` that its types leave out. */
interface SecondConnection extends EventEmitter {
  stream: Socket;
  connect(port: number, host: string): void;
  cancel(processID: number, secretKey: number): void;
}

export type HostClientClass = new (options?: pg.ClientConfig) => HostClient;

export interface HostClient extends pg.Client {
  /** Whether the rows of the database can lie on other servers. Known once it is connected. */
  readonly isDistributed: boolean;
  /** Asks the server, over a second connection for at most a second, to cancel the statement of this one. Never rejects. */
  cancelStatement(): Promise<void>;
}

/**
 * Returns a `pg.Client` whose connections lead to a host with the right role. A client that fails makes the next ones try the next host, so as many attempts as
 * there are hosts reach every one.
 */
export function clientFor({ hosts, kind }: ServerUrl): HostClientClass {
  let current = 0;

  return class extends pg.Client implements HostClient {
    readonly #host = current;
    isDistributed = false;

    constructor(options?: pg.ClientConfig) {
      super({ ...options, ...hosts[current] });
      // Whatever waits for this client fails as well. Without a listener, an error between connecting and the first statement would end the process.
      this.on('error', () => {});
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error | null) => void): void;
    override connect(callback?: (error: Error | null) => void): Promise<pg.Client> | undefined {
      const connecting = this.#connect();
      if (!callback) return connecting;
      connecting.then(() => callback(null), callback);
      return undefined;
    }

    cancelStatement(): Promise<void> {
      const { host, port, ssl, processID, secretKey } = this as unknown as Internals;
      const second = new pg.Connection({ ssl } as pg.ConnectionConfig) as unknown as SecondConnection;
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer);
          second.stream.destroy();
          resolve();
        };
        const timer = setTimeout(end, cancelMsMax);
        second.on('error', end).on('end', end);
        second.on(ssl ? 'sslconnect' : 'connect', () => second.cancel(processID, secretKey));
        second.connect(port, host);
      });
    }

    async #connect(): Promise<pg.Client> {
      try {
        await super.connect();
        this.isDistributed = await checkServer(
          async (text) => ({ ...(await this.query(text)), affectedRows: 0 }),
          kind,
        );
        return this;
      } catch (error) {
        if (error instanceof WrongServerRole) await this.end();
        if (current === this.#host) current = (current + 1) % hosts.length;
        throw error;
      }
    }
  };
}
