import type { Database, Scope } from '@quoin/db';
import { type Client, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { hashOneTimeToken, invalidOneTimeToken } from './one-time-tokens.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  outbox: Outbox;
  clock: () => Date;
}

/** What access to a mailbox proves: it resets a forgotten password and verifies an address. */
export function createRecovery({ database, passwords, outbox, clock }: Dependencies) {
  return {
    /**
     * Does the same whether there is such an account or not: voids the previous token and posts a mail. The delivery, for which nobody waits, finds
     * out whether there is an account. If the recipient has had too many mails, nothing happens, and the previous token stays.
     */
    forgot: async (email: string, client: Client): Promise<void> => {
      const recipient = normalizeEmail(email);
      const permit = await outbox.permit('reset_password', recipient);
      await database.system(async ({ oneTimeTokens, mails }) => {
        if (permit.isAllowed) await oneTimeTokens.deleteByEmail('reset_password', recipient);
        await outbox.post({ mails }, permit, client);
      });
      outbox.wake();
    },

    /**
     * Sets a new password with the token of a mail. All sessions, all tokens and the old password end with it, because an impostor may have left
     * them. The address counts as verified.
     *
     * @returns the id of the account
     * @throws Problem `validation_failed` at `/token` or `/new_password`; the token then still works
     */
    reset: async (token: string, newPassword: string, client: Client): Promise<string> => {
      const tokenHash = hashOneTimeToken(token);
      const owner = await database.system(
        ({ oneTimeTokens }) => oneTimeTokens.findOwner('reset_password', tokenHash, clock()),
        { single: 'read' },
      );
      if (!owner) throw invalidOneTimeToken();
      await passwords.accept(newPassword, owner, '/new_password');
      const password_hash = await passwords.hash(newPassword, turnCallerOf(owner.id, client));
      const permit = await outbox.permit('password_changed', owner.email);

      const isReset = await database.system(async ({ oneTimeTokens, users, userSessions, auditEvents, mails }) => {
        const now = clock();
        const consumed = await oneTimeTokens.consume('reset_password', tokenHash, now);
        const user = consumed && (await users.proveMailbox(consumed.user_id, consumed.email, now, { password_hash }));
        if (!user) return false;
        await oneTimeTokens.deleteAllOf(user.id);
        await userSessions.revokeAll(user.id, 'password_changed', now);
        await auditEvents.create({ action: 'password_reset', user_id: user.id, actor_id: user.id, ...client });
        await outbox.post({ mails }, permit, client);
        return true;
      });
      if (!isReset) throw invalidOneTimeToken();
      outbox.wake();
      return owner.id;
    },

    /**
     * Verifies an address. The session that sends the token stays, because the same person holds the session and reads the mail. All other sessions
     * end. Without such a session, the account may have been registered by an impostor who knows its password: a password from before the address was
     * verified stops working, and the owner gets a mail to choose one.
     *
     * @param scope the caller, if signed in
     * @throws Problem `validation_failed` at `/token`
     */
    verify: async (token: string, scope: Scope | undefined, client: Client): Promise<void> => {
      const tokenHash = hashOneTimeToken(token);
      const isVerified = await database.system(async ({ oneTimeTokens, users, userSessions, auditEvents, mails }) => {
        const now = clock();
        const consumed = await oneTimeTokens.consume('verify_email', tokenHash, now);
        if (!consumed) return false;
        const isOwnSession = scope?.userId === consumed.user_id;
        const user = await users.proveMailbox(consumed.user_id, consumed.email, now, { keepsPassword: isOwnSession });
        if (!user) return false;
        await oneTimeTokens.deleteAllOf(user.id);
        const except = isOwnSession ? scope.sessionId : undefined;
        await userSessions.revokeAll(user.id, 'email_verified', now, { except });
        const event = { user_id: user.id, actor_id: user.id, ...client };
        await auditEvents.create({ action: 'email_verified', ...event });
        if (user.has_password) return true;
        await auditEvents.create({ action: 'password_voided', ...event });
        // Needs no permit: an address is verified once.
        await outbox.post({ mails }, { kind: 'set_password', recipient: user.email, isAllowed: true }, client);
        return true;
      });
      if (!isVerified) throw invalidOneTimeToken();
      outbox.wake();
    },

    /** Posts another mail to verify the address, unless it is verified. */
    resend: async (scope: Scope, client: Client): Promise<void> => {
      const user = await database.as(scope, ({ users }) => users.findById(scope.userId), { single: 'read' });
      if (!user || user.email_verified_at) return;
      const permit = await outbox.permit('verify_email', user.email);
      await database.as(scope, async ({ users, mails }) => {
        // The address may have changed, or the account may be gone, and a user may mail the current address only.
        const current = await users.lock(scope.userId);
        if (current?.email === permit.recipient) await outbox.post({ mails }, permit, client);
      });
      outbox.wake();
    },
  };
}

export type Recovery = ReturnType<typeof createRecovery>;
