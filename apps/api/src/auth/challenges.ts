import { createHash, randomBytes } from 'node:crypto';
import type { Database } from '@quoin/db';
import { deleteAll } from '../http/delete-all.ts';

/** Returns the secret of a challenge: 256 random bits. The database stores its hash. */
export const newChallenge = (): string => randomBytes(32).toString('base64url');

export const hashOfChallenge = (challenge: string): Buffer => createHash('sha256').update(challenge).digest();

/** Deletes expired challenges. Resolves to their number. */
export const deleteExpiredChallenges = (database: Database, clock: () => Date): Promise<number> =>
  deleteAll((limit) => database.system().challenges.deleteExpired(clock(), limit));
