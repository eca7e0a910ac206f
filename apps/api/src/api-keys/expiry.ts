import type { Database } from '@quoin/db';
import { deleteAll } from '../http/delete-all.ts';
import { apiKeyExpiresMail } from '../mail/kinds/api-key-expires.ts';
import type { Mail } from '../mail/mail.ts';

const dayMs = 86_400_000;
const warningMs = 7 * dayMs;
/** Expired keys stay in lists for this long, so that their owner sees why a program stopped. */
const expiredKeptMs = 30 * dayMs;

/** The jobs about the expiry of API keys. */
export function createApiKeyExpiry({ database, mail, clock }: { database: Database; mail: Mail; clock: () => Date }) {
  return {
    /** Mails the owners of keys that expire within a week, once for each key, and one mail for all keys that become due together. Resolves to the number of keys. */
    warn: async (): Promise<number> => {
      const now = clock();
      const before = new Date(now.getTime() + warningMs);
      const warned = await deleteAll((limit) =>
        database.system().transaction(async (repositories) => {
          const recipients = await repositories.apiKeys.warnOfExpiry(now, before, limit);
          for (const recipient of new Set(recipients)) await mail.send(repositories, apiKeyExpiresMail, recipient, {});
          return recipients.length;
        }),
      );
      mail.wake();
      return warned;
    },

    /** Deletes keys that expired a month ago. Resolves to their number. */
    deleteExpired: (): Promise<number> => {
      const before = new Date(clock().getTime() - expiredKeptMs);
      return deleteAll((limit) => database.system().apiKeys.deleteExpired(before, limit));
    },
  };
}
