import { createHash, randomBytes } from 'node:crypto';
import type { Database } from '@quoin/db';

const deletedPerBatch = 1_000;

/** Returns the secret of a challenge: 256 random bits. The database stores its hash. */
export const newChallenge = (): string => randomBytes(32).toString('base64url');

export const hashOfChallenge = (challenge: string): Buffer => createHash('sha256').update(challenge).digest();

/** Deletes expired challenges. Resolves to their number. */
export async function deleteExpiredChallenges(database: Database, clock: () => Date): Promise<number> {
  let total = 0;
  for (let deleted = deletedPerBatch; deleted === deletedPerBatch; total += deleted)
    deleted = await database.system().challenges.deleteExpired(clock(), deletedPerBatch);
  return total;
}
