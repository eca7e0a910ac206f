import type { Database } from '../database.ts';
import { newId } from '../new-id.ts';

/** Public, so `seed` does not run in production. */
export const seedPassword = 'correct horse battery';
/** Argon2id of that password (19456 KiB, t=2, p=1), precomputed: hashing it for thousands of users takes minutes. */
const seedPasswordHash =
  '$argon2id$v=19$m=19456,t=2,p=1$M4eGUBR0zCFaQmwrWaZ9kg$Fy6RTumJb16eeV2PjdkSb2ZUvn+hJUX5q4NL2e+iNu8';
const batchSize = 500;
const tasksPerUser = 3;

/** Returns the address of the nth test user. The admin has `admin@example.com`. */
export const seedEmail = (n: number) => `user${n}@example.com`;

/**
 * Creates an admin and `users` users with a few tasks each. Skips the accounts that exist, so it can run again.
 *
 * @param progress called after every batch with the number of users so far
 * @returns the number of new accounts
 */
export async function seed(
  database: Database,
  users: number,
  progress: (done: number) => void = () => {},
): Promise<number> {
  let created = await insertUsers(database, [{ email: 'admin@example.com', full_name: 'Test Admin', is_admin: true }]);
  for (let done = 0; done < users; ) {
    const numbers = Array.from({ length: Math.min(batchSize, users - done) }, (_, index) => done + index + 1);
    created += await insertUsers(
      database,
      numbers.map((n) => ({ email: seedEmail(n), full_name: `Test User ${n}`, is_admin: false })),
    );
    done += numbers.length;
    progress(done);
  }
  return created;
}

interface SeedUser {
  email: string;
  full_name: string;
  is_admin: boolean;
}

/** Inserts a batch in one transaction, so that each user has all tasks or does not exist. */
async function insertUsers(database: Database, batch: SeedUser[]): Promise<number> {
  return database.maintain(async (connection) => {
    await connection.execute('begin');
    try {
      const { rows } = await connection.query<{ id: string }>(
        `insert into users (id, email, full_name, is_admin, email_verified_at, password_hash)
         select id, email, full_name, is_admin, now(), $5
         from unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[]) as batch (id, email, full_name, is_admin)
         on conflict do nothing returning id`,
        [
          batch.map(() => newId()),
          batch.map((user) => user.email),
          batch.map((user) => user.full_name),
          batch.map((user) => user.is_admin),
          seedPasswordHash,
        ],
      );
      const tasks = rows.flatMap(({ id }) =>
        Array.from({ length: tasksPerUser }, (_, index) => ({ id: newId(), userId: id, title: `Task ${index + 1}` })),
      );
      await connection.query(
        `insert into tasks (id, user_id, title) select * from unnest($1::uuid[], $2::uuid[], $3::text[])`,
        [tasks.map(({ id }) => id), tasks.map(({ userId }) => userId), tasks.map(({ title }) => title)],
      );
      await connection.execute('commit');
      return rows.length;
    } catch (error) {
      await connection.execute('rollback');
      throw error;
    }
  });
}
