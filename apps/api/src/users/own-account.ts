import { type Database, requireSession, type Scope, type Versions } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { found, sessionEnded } from '../http/errors.ts';
import { requireRow, requireVersion } from '../http/preconditions.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Mail } from '../mail/mail.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { createAccountChanges, isNewEmail, mapUniqueViolation } from './account-changes.ts';
import type { AccountDeletion } from './account-deletion.ts';
import { createReauthentication, wrongPassword } from './reauthentication.ts';
import type { OwnChanges } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  mail: Mail;
  accountDeletion: AccountDeletion;
  limiter: Limiter;
  clock: () => Date;
}

const perDay = (count: number) => ({ burst: count, perMinute: count / 1440 });
/** Each change of email can send two mails. */
const emailChanges = perDay(5);
/** Each change sends a mail. */
const passwordChanges = perDay(10);
/** Each change reveals whether a username is taken. */
const usernameChanges = perDay(10);

/** Changes and deletes the account of the caller. */
export function createOwnAccount({ database, passwords, mail, accountDeletion, limiter, clock }: Dependencies) {
  const changesOf = createAccountChanges({ passwords, mail });
  const { requireProof } = createReauthentication({ database, passwords, clock });

  return {
    /** A new email, username or password requires a proof. */
    update: async (scope: Scope, { current_password, ...changes }: OwnChanges, client: Client, versions: Versions) => {
      const self = found(await database.as(scope).account.find());
      const isNewName = changes.username !== undefined && changes.username !== self.username;
      const isNewAddress = changes.email !== undefined && isNewEmail(changes.email, self);
      const isSensitive = changes.password !== undefined || isNewAddress || isNewName;
      // A password that is sent is always checked. Otherwise such a request would reset the limit of guesses.
      if (isSensitive || current_password !== undefined) await requireProof(scope, self, current_password, client);
      if (changes.password !== undefined) await limiter.take('password change', self.id, passwordChanges);
      if (isNewAddress) await limiter.take('email change', self.id, emailChanges);
      if (isNewName) await limiter.take('username change', self.id, usernameChanges);
      const columns = await changesOf.columnsOf(changes, self, client);
      if (Object.keys(columns).length === 0) {
        requireVersion(self, versions);
        return self;
      }

      const updated = await mapUniqueViolation(() =>
        database.as(scope).transaction(async ({ account, userSessions, jobs, auditEvents, oneTimeTokens }) => {
          const before = found(await account.lock());
          // The request may have begun before the session was revoked.
          if (!(await userSessions.lockUnrevoked(requireSession(scope).sessionId))) throw sessionEnded();
          // The password that was checked, or the address that gets the mails, has changed meanwhile.
          if (isSensitive && (before.password_hash !== self.password_hash || before.email !== self.email))
            throw wrongPassword();
          await changesOf.sendNotices(jobs, before, columns, client);
          const user = await requireRow(versions, await account.update(columns, versions), account.find);
          if ('password_hash' in columns)
            await userSessions.revokeAll('password_changed', clock(), { except: requireSession(scope).sessionId });
          const recordEvent = (event: Parameters<typeof auditEvents.create>[0]) =>
            auditEvents.create({ ...event, ...client });
          const records = { jobs, recordEvent, voidTokens: oneTimeTokens.deleteAll };
          await changesOf.record(records, before, columns, client);
          return user;
        }),
      );
      mail.wake();
      return updated;
    },

    delete: async (scope: Scope, currentPassword: string | undefined, client: Client, versions: Versions) => {
      const self = found(await database.as(scope).account.find());
      await requireProof(scope, self, currentPassword, client);
      await accountDeletion.markDeleted(self.id, scope, client, { passwordHash: self.password_hash, versions });
    },
  };
}

export type OwnAccount = ReturnType<typeof createOwnAccount>;
