import type { Database, Scope } from '@quoin/db';
import type { Client } from '../client.ts';
import { normalizeEmail } from '../email.ts';
import type { Outbox } from '../mail/outbox.ts';
import { hashOneTimeToken, invalidOneTimeToken } from './one-time-token.ts';
import type { Passwords } from './password.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  outbox: Outbox;
  clock: () => Date;
}

/** What a mailbox proves: a forgotten password is reset, an address verified, by who can read the mail that goes there. */
export function createRecovery({ database, passwords, outbox, clock }: Dependencies) {
  return {
    /**
     * Does the same whether there is such an account or not: it voids the token from before, and notes that a mail is asked for. Whether
     * there is somebody to send it to is found out later, where nobody waits.
     */
    forgot: async (email: string, client: Client): Promise<void> => {
      const recipient = normalizeEmail(email);
      await database.system(async ({ oneTimeTokens, mails }) => {
        await oneTimeTokens.deleteByEmail('reset_password', recipient);
        await outbox.post({ mails }, 'reset_password', recipient, client);
      });
      outbox.wake();
    },

    /**
     * A new password for who can read the account's mail. Everything that somebody else may have left ends with it: all sessions, all
     * tokens, the old password. The address counts as verified.
     *
     * @returns the email of the account
     * @throws Problem `validation_failed` at `/token` or `/new_password`; the token is then still good
     */
    reset: async (token: string, newPassword: string, client: Client): Promise<string> => {
      const tokenHash = hashOneTimeToken(token);
      const owner = await database.system(
        ({ oneTimeTokens }) => oneTimeTokens.findOwner('reset_password', tokenHash, clock()),
        { single: 'read' },
      );
      if (!owner) throw invalidOneTimeToken();
      await passwords.accept(newPassword, owner, '/new_password');
      const password_hash = await passwords.hash(newPassword);

      const isReset = await database.system(async ({ oneTimeTokens, users, userSessions, auditEvents, mails }) => {
        const now = clock();
        const consumed = await oneTimeTokens.consume('reset_password', tokenHash, now);
        const user = consumed && (await users.proveMailbox(consumed.user_id, consumed.email, now, { password_hash }));
        if (!user) return false;
        await oneTimeTokens.deleteAllOf(user.id);
        await userSessions.revokeAll(user.id, 'password_changed', now);
        await auditEvents.create({ action: 'password_reset', user_id: user.id, actor_id: user.id, ...client });
        await outbox.post({ mails }, 'password_changed', user.email, client);
        return true;
      });
      if (!isReset) throw invalidOneTimeToken();
      outbox.wake();
      return owner.email;
    },

    /**
     * The address is its owner's. Sessions from before end, since whoever began them had not proven that, but for the one that sends
     * the token: reading the mail and holding the session are then the same person's.
     *
     * @param scope who sends it, where they are signed in
     * @throws Problem `validation_failed` at `/token`
     */
    verify: async (token: string, scope: Scope | undefined, client: Client): Promise<void> => {
      const isVerified = await database.system(async ({ oneTimeTokens, users, userSessions, auditEvents }) => {
        const now = clock();
        const consumed = await oneTimeTokens.consume('verify_email', hashOneTimeToken(token), now);
        const user = consumed && (await users.proveMailbox(consumed.user_id, consumed.email, now));
        if (!user) return false;
        await oneTimeTokens.deleteAllOf(user.id);
        const except = scope && scope.userId === user.id ? scope.sessionId : undefined;
        await userSessions.revokeAll(user.id, 'email_verified', now, { except });
        await auditEvents.create({ action: 'email_verified', user_id: user.id, actor_id: user.id, ...client });
        return true;
      });
      if (!isVerified) throw invalidOneTimeToken();
    },

    /** Asks for another mail to verify the address. Where it is verified already, none is sent. */
    resend: async (scope: Scope, client: Client): Promise<void> => {
      await database.as(scope, async ({ users, mails }) => {
        const user = await users.findById(scope.userId);
        if (user && !user.email_verified_at) await outbox.post({ mails }, 'verify_email', user.email, client);
      });
      outbox.wake();
    },
  };
}

export type Recovery = ReturnType<typeof createRecovery>;
