import type { Database } from '@quoin/db';
import type { Sealed } from '../config/sealed.ts';

const perBatch = 500;
const smallestId = '00000000-0000-0000-0000-000000000000';
const columns = ['secret', 'previous_secret'] as const;

/** Encrypts the secrets of webhook endpoints with the current SECRET_KEY, where an earlier one did. Resolves to their number. */
export async function resealWebhookSecrets(database: Database, sealed: Sealed): Promise<number> {
  const { webhookEndpoints } = database.system();
  let total = 0;
  for (let after: string | undefined = smallestId; after !== undefined; ) {
    const rows: Awaited<ReturnType<typeof webhookEndpoints.listSecrets>> = await webhookEndpoints.listSecrets(
      after,
      perBatch,
    );
    for (const row of rows)
      for (const column of columns) {
        const before = row[column];
        if (!before || !sealed.isOutdated(before)) continue;
        await webhookEndpoints.reseal(row, column, before, sealed.seal(sealed.open(before, row.id), row.id));
        total += 1;
      }
    after = rows.at(-1)?.id;
  }
  return total;
}
