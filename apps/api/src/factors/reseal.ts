import type { Database } from '@quoin/db';
import type { Sealed } from '../config/sealed.ts';

const perBatch = 500;
const smallestId = '00000000-0000-0000-0000-000000000000';
const columns = ['secret', 'pending_secret'] as const;

/** Encrypts the secrets of authenticator apps with the current SECRET_KEY, where an earlier one did. Resolves to their number. */
export async function resealSecrets(database: Database, sealed: Sealed): Promise<number> {
  let total = 0;
  for (let after: string | undefined = smallestId; after !== undefined; ) {
    const from: string = after;
    const rows = await database.system().transaction(async ({ factors }) => {
      const batch = await factors.listTotps(from, perBatch);
      for (const row of batch)
        for (const column of columns) {
          const before = row[column];
          if (!before || !sealed.isOutdated(before)) continue;
          const secret = sealed.open(before, row.user_id);
          await factors.resealTotp(row.user_id, column, before, sealed.seal(secret, row.user_id));
          total += 1;
        }
      return batch;
    });
    after = rows.at(-1)?.user_id;
  }
  return total;
}
