import type pg from 'pg';
import type { Connection } from '../connection.ts';
import { writeTogether } from './wire.ts';

// A fast statement costs more to send than to run: a system call on each side, and a context switch to its backend. So those of one event-loop turn
// are sent together, up to `sharedMax` on one connection, and answered in order. Each is a transaction of its own.

const sharedMax = 8;

interface Caller {
  resolve: (connection: Connection) => void;
  reject: (error: unknown) => void;
}

interface Pool {
  acquire: () => Promise<pg.PoolClient>;
  statementsOn: (client: pg.PoolClient) => Omit<Connection, 'release'>;
  release: (client: pg.PoolClient, isBroken: boolean) => void;
}

/** Returns a function that hands one connection of the pool to several callers at a time, each for one statement. */
export function sharedConnections({ acquire, statementsOn, release }: Pool): () => Promise<Connection> {
  let callers: Caller[] = [];

  const share = async (batch: Caller[]) => {
    try {
      const client = await acquire();
      let left = batch.length;
      let isAnyBroken = false;
      const connection: Connection = {
        ...statementsOn(client),
        release: (isBroken = false) => {
          isAnyBroken ||= isBroken;
          left -= 1;
          if (left === 0) release(client, isAnyBroken);
        },
      };
      writeTogether(client);
      for (const { resolve } of batch) resolve(connection);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const flush = () => {
    const all = callers;
    callers = [];
    for (let first = 0; first < all.length; first += sharedMax) void share(all.slice(first, first + sharedMax));
  };

  return () =>
    new Promise((resolve, reject) => {
      // Flush at the end of this event-loop turn.
      if (callers.length === 0) setImmediate(flush);
      callers.push({ resolve, reject });
    });
}
