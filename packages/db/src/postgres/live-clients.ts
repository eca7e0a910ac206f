import type pg from 'pg';
import type { HostClientClass } from './hosts.ts';

const idleMsBeforePing = 10_000;
const pingMsMax = 2_000;

/** Clients with a statement that was given up before its answer. */
export const unanswered = new WeakSet<pg.ClientBase>();

/** Acquires live connections. Pings a connection before use if its last use predates the last connection failure or was long ago. */
export function liveClients(pool: pg.Pool, Client: HostClientClass, hostsTotal: number) {
  const lastUsedAt = new WeakMap<pg.PoolClient, number>();
  const openedAt = new WeakMap<pg.PoolClient, number>();
  let suspectedAt = 0;
  let replacedAt = 0;
  const suspect = () => {
    suspectedAt = performance.now();
  };
  // The pool drops an idle client that ends, for example because the server restarts.
  pool.on('error', suspect);
  // The statement of a client in use fails as well. Without a listener the event would end the process.
  pool.on('connect', (client) => {
    client.on('error', suspect);
    openedAt.set(client, performance.now());
  });

  const isAlive = async (client: pg.PoolClient) => {
    const usedAt = lastUsedAt.get(client);
    if (usedAt === undefined || (usedAt > suspectedAt && performance.now() - usedAt < idleMsBeforePing)) return true;
    const ping: pg.QueryConfig & { query_timeout: number } = { text: '', query_timeout: pingMsMax };
    return client.query(ping).then(
      () => true,
      () => false,
    );
  };

  const hasFreeSlot = () => pool.totalCount < pool.options.max;

  return {
    connect: async (): Promise<pg.PoolClient> => {
      try {
        // Terminates: each iteration closes one of at most `poolMax` old connections.
        for (;;) {
          // If the pool is full, its timeout says nothing about the host, so another host is not tried.
          const client = await attempt(hostsTotal, () => pool.connect(), hasFreeSlot);
          const isCurrent = (openedAt.get(client) ?? 0) >= replacedAt;
          if (isCurrent && (await isAlive(client))) return client;
          if (isCurrent) suspect();
          client.release(true);
        }
      } catch (error) {
        suspect();
        throw error;
      }
    },
    release: (client: pg.PoolClient, isBroken: boolean) => {
      if (isBroken) suspect();
      lastUsedAt.set(client, performance.now());
      // Its process would continue: `statement_timeout` does not end a commit that waits for a standby.
      if (unanswered.has(client) && client instanceof Client)
        void client.cancelStatement().then(() => client.release(true));
      else client.release(isBroken);
    },
    /** Replaces all connections that are open now, each before its next use. */
    replaceAll: () => {
      replacedAt = performance.now();
    },
  };
}

/** Tries up to `times`, while `isWorthwhile`. @throws the last error */
export async function attempt<T>(
  times: number,
  work: () => Promise<T>,
  isWorthwhile: () => boolean = () => true,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (times <= 1 || !isWorthwhile()) throw error;
    return attempt(times - 1, work, isWorthwhile);
  }
}
