import type { Duplex } from 'node:stream';
import type pg from 'pg';
import type { Connection } from '../connection.ts';

// Statements that take next to no time cost more to send than to run: a system call each, and waking a process of the server's for it. So
// those that are there at the same time travel together: up to `togetherMax` on one connection, written at once, and answered in order.
// Each is a transaction by itself, so they share nothing but the way. What takes its time must not be among them, since the others would
// wait behind it.

const togetherMax = 8;

interface Caller {
  resolve: (connection: Connection) => void;
  reject: (error: unknown) => void;
}

interface Pool {
  acquire: () => Promise<pg.PoolClient>;
  queriesOn: (client: pg.PoolClient) => Omit<Connection, 'release'>;
  release: (client: pg.PoolClient, isBroken: boolean) => void;
}

/** Hands one connection of the pool to several callers at a time, each for one statement. */
export function sharedConnections({ acquire, queriesOn, release }: Pool): () => Promise<Connection> {
  let callers: Caller[] = [];

  const share = async (together: Caller[]) => {
    try {
      const client = await acquire();
      let left = together.length;
      let isAnyBroken = false;
      const connection: Connection = {
        ...queriesOn(client),
        release: (isBroken = false) => {
          isAnyBroken ||= isBroken;
          left -= 1;
          if (left === 0) release(client, isAnyBroken);
        },
      };
      // What they send goes out as one.
      const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection;
      stream.cork();
      setImmediate(() => stream.uncork());
      for (const { resolve } of together) resolve(connection);
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  };

  const shareAll = () => {
    const all = callers;
    callers = [];
    for (let first = 0; first < all.length; first += togetherMax) void share(all.slice(first, first + togetherMax));
  };

  return () =>
    new Promise((resolve, reject) => {
      // When everybody who is about to come is there.
      if (callers.length === 0) setImmediate(shareAll);
      callers.push({ resolve, reject });
    });
}
