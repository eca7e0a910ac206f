import { type Database, requireSession, type Scope } from '@quoin/db';
import { secondFactorsOf } from '../auth/begin-session.ts';
import { proveMailbox, voidCredentials } from '../auth/prove-mailbox.ts';
import { type Client, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { invalid } from '../http/errors.ts';
import { passwordChangedMail } from '../mail/kinds/password-changed.ts';
import { resetPasswordMail } from '../mail/kinds/reset-password.ts';
import { verifyEmailMail } from '../mail/kinds/verify-email.ts';
import type { Mail } from '../mail/mail.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { invalidOneTimeToken, parseOneTimeToken } from './one-time-tokens.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  mail: Mail;
  clock: () => Date;
}

/** Actions that access to a mailbox authorizes: resetting a forgotten password and verifying an address. */
export function createRecovery({ database, passwords, mail, clock }: Dependencies) {
  return {
    /** Sends a mail, whether the account exists or not. The delivery, which runs in the background, looks the account up and voids the previous token. */
    forgot: async (email: string, client: Client): Promise<void> => {
      await mail.send(database.system(), resetPasswordMail, normalizeEmail(email), {}, client);
      mail.wake();
    },

    /**
     * Sets a new password with the token of a mail. Voids the old password, all sessions and all tokens, because an impostor may have created them. The address
     * counts as verified.
     *
     * @returns the id of the account
     * @throws Problem `validation_failed` at `/token` or `/new_password`; the token stays valid
     */
    reset: async (token: string, newPassword: string, client: Client): Promise<string> => {
      const presented = parseOneTimeToken(token);
      const owner = await database.system().oneTimeTokens.findOwner('reset_password', presented, clock());
      if (!owner) throw invalidOneTimeToken();
      await passwords.accept(newPassword, owner, '/new_password');
      const password_hash = await passwords.hash(newPassword, turnCallerOf(owner.id, client));

      const isReset = await database.system().transaction(async (repositories) => {
        const { oneTimeTokens, users, factors, userSessions, auditEvents, jobs } = repositories;
        const now = clock();
        const consumed = await oneTimeTokens.consume('reset_password', presented, now);
        if (!consumed) return false;
        // The lock keeps an impostor from adding a factor now: `proveMailbox` says why.
        const before = await users.lock(consumed.user_id);
        const verifies = secondFactorsOf(await factors.count(consumed.user_id)).length === 0;
        const proof = { password_hash, verifies };
        const user = await users.proveMailbox(consumed.user_id, consumed.email, now, proof);
        if (!user) return false;
        await oneTimeTokens.deleteAllOf(user.id);
        if (!before?.email_verified_at) await voidCredentials(repositories, user.id, client);
        await userSessions.revokeAllOf(user.id, 'password_changed', now);
        await auditEvents.create({ action: 'password_reset', user_id: user.id, actor_id: user.id, ...client });
        await mail.send({ jobs }, passwordChangedMail, user.email, {}, client);
        return true;
      });
      if (!isReset) throw invalidOneTimeToken();
      mail.wake();
      return owner.id;
    },

    /**
     * Verifies an address and ends all other sessions. The session that sends the token stays, because the same person holds the session and reads the mail.
     *
     * @param scope the caller, if signed in
     * @throws Problem `validation_failed` at `/token`
     */
    verify: async (token: string, scope: Scope | undefined, client: Client): Promise<void> => {
      const presented = parseOneTimeToken(token);
      const isVerified = await database.system().transaction(async (repositories) => {
        const now = clock();
        const consumed = await repositories.oneTimeTokens.consume('verify_email', presented, now);
        const user = consumed && (await repositories.users.lock(consumed.user_id));
        if (!consumed || !user?.is_active || user.email !== consumed.email) return false;
        const sessionId = scope?.actor.userId === user.id ? requireSession(scope).sessionId : undefined;
        const isHolder = sessionId !== undefined;
        if (await proveMailbox(repositories, user, { mail, client, now, isHolder, sessionId })) return true;
        // The rollback keeps the token.
        throw invalid('/token', 'needs a session of the account, because it has a second factor: sign in first');
      });
      if (!isVerified) throw invalidOneTimeToken();
      mail.wake();
    },

    /** Queues another verification mail, unless the address is verified. */
    resend: async (scope: Scope, client: Client): Promise<void> => {
      const user = await database.as(scope).account.find();
      if (!user || user.email_verified_at) return;
      await database.as(scope).transaction(async ({ account, jobs }) => {
        // The address may have changed meanwhile, or the account may be gone.
        const current = await account.lock();
        if (current?.email === user.email) await mail.send({ jobs }, verifyEmailMail, user.email, {}, client);
      });
      mail.wake();
    },
  };
}

export type Recovery = ReturnType<typeof createRecovery>;
