import {
  type AuditAction,
  type OwnerRepositories,
  requireSession,
  type Scope,
  type TokenPurpose,
  type User,
  violatedConstraint,
} from '@quoin/db';
import { type Client, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { invalid, Problem } from '../http/errors.ts';
import type { MailKind } from '../mail/kind.ts';
import { emailChangedMail } from '../mail/kinds/email-changed.ts';
import { passwordChangedMail } from '../mail/kinds/password-changed.ts';
import { usernameChangedMail } from '../mail/kinds/username-changed.ts';
import { verifyEmailMail } from '../mail/kinds/verify-email.ts';
import type { Mail } from '../mail/mail.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { UserChanges } from './schemas.ts';

// Effects of an account change by its owner or an admin: columns, mails, audit events and voided tokens.

/** Where a change is recorded, in its transaction. */
interface Records {
  jobs: OwnerRepositories['jobs'];
  recordEvent: (event: { action: AuditAction; details?: Record<string, unknown> }) => Promise<unknown>;
  voidTokens: (purpose?: TokenPurpose) => Promise<unknown>;
}

export function createAccountChanges({ passwords, mail }: { passwords: Passwords; mail: Mail }) {
  return {
    /** Returns the columns that change. A new email is not verified. @throws Problem `validation_failed` for a weak password */
    columnsOf: async (
      { password, email, ...rest }: Omit<UserChanges, 'current_password'>,
      current: User,
      client: Client,
    ) => {
      const newEmail =
        email !== undefined && isNewEmail(email, current)
          ? { email: normalizeEmail(email), email_verified_at: null }
          : {};
      const columns = { ...rest, ...newEmail };
      if (password === undefined) return columns;
      if (current.kind === 'service') throw invalid('/password', 'cannot be set: service accounts have none');
      await passwords.accept(password, { ...current, ...columns });
      return { ...columns, password_hash: await passwords.hash(password, turnCallerOf(current.id, client)) };
    },

    /**
     * Sends the notices of a change to the address from before. Call it before the change, because a user's unit of work can mail the account's current address only.
     */
    sendNotices: async (
      jobs: OwnerRepositories['jobs'],
      before: User,
      { email, password_hash, username }: Partial<User>,
      client: Client,
    ) => {
      const send = (kind: MailKind) => mail.send({ jobs }, kind, before.email, {}, client);
      // An address that was never verified may be a stranger's.
      const isVerified = before.email_verified_at !== null;
      if (password_hash !== undefined) await send(passwordChangedMail);
      if (email !== undefined && isVerified) await send(emailChangedMail);
      if (username !== undefined && username !== before.username && isVerified) await send(usernameChangedMail);
    },

    /** Records a change, and voids the tokens that were sent before it. */
    record: async (
      { jobs, recordEvent, voidTokens }: Records,
      before: User,
      columns: Partial<User>,
      client: Client,
    ) => {
      const { email, email_verified_at: _, password_hash, username, ...others } = columns;
      if (password_hash !== undefined) {
        await voidTokens('reset_password');
        await recordEvent({ action: 'password_changed' });
      }
      if (email !== undefined) {
        await voidTokens();
        await recordEvent({ action: 'email_changed' });
        await mail.send({ jobs }, verifyEmailMail, email, {}, client);
      }
      if (username !== undefined && username !== before.username) await recordEvent({ action: 'username_changed' });
      if (Object.keys(others).length === 0) return;
      const { is_active, is_admin } = others;
      await recordEvent({ action: 'account_changed', details: { fields: Object.keys(others), is_active, is_admin } });
    },
  };
}

/** The actor of an audit event; nulls for a command and for a registration. */
export const actorColumns = (scope: Scope | undefined) => ({
  actor_id: scope?.actor.userId ?? null,
  session_id: scope ? requireSession(scope).sessionId : null,
});

/** Re-sending the current email is not a change. */
export const isNewEmail = (email: string, { email: current }: User) => normalizeEmail(email) !== current;

/** @throws Problem `email_taken`, `username_taken` */
export async function mapUniqueViolation<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const constraint = violatedConstraint(error);
    if (constraint === 'idx_users_email')
      throw new Problem('email_taken', 'Sign in with this email, or choose another one.', { cause: error });
    if (constraint === 'idx_users_username')
      throw new Problem('username_taken', 'Choose another username.', { cause: error });
    throw error;
  }
}
