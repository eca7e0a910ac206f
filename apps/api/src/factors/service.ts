import { type Database, requireSession, type Scope, type SystemRepositories } from '@quoin/db';
import type { ChangeFactors } from '../auth/change-factors.ts';
import { type CheckedFactor, sessionGuesses } from '../auth/factors.ts';
import type { Client } from '../http/client.ts';
import { found, invalid, notFound } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import { factorsRemovedMail } from '../mail/kinds/factors-removed.ts';
import type { Mail } from '../mail/mail.ts';
import { hashOfRecoveryCode, newRecoveryCodes } from './recovery-codes.ts';
import type { Totp } from './totp.ts';

interface Dependencies {
  database: Database;
  totp: Totp;
  changeFactors: ChangeFactors;
  mail: Mail;
  limiter: Limiter;
  clock: () => Date;
}

/** Second factors of the caller, and their removal by admins. Each change ends the other sessions and sends a mail. */
export function createFactors({ database, totp, changeFactors, mail, limiter, clock }: Dependencies) {
  return {
    count: (scope: Scope) => database.system().factors.count(scope.owner.userId),

    beginTotp: totp.begin,

    /** Puts the pending secret in force. @returns new recovery codes; the old ones are void @throws Problem `validation_failed` at `/code` */
    confirmTotp: async (scope: Scope, code: string, client: Client): Promise<string[]> => {
      const { userId, sessionId } = requireSession(scope);
      await limiter.take(sessionGuesses.name, userId, sessionGuesses.rate);
      const checked = await totp.checkPending(scope, code);
      if (!checked) throw wrongCode();
      await limiter.giveBack([{ ...sessionGuesses, key: userId }]);
      return changeFactors(scope, 'totp_added', client, async ({ factors, userSessions }) => {
        if (!(await factors.confirmTotp(userId, checked.pending, checked.step))) throw wrongCode();
        await userSessions.addMethods({ userId, sessionId }, ['otp', 'mfa']);
        return replaceRecoveryCodes(factors, userId);
      });
    },

    /** @throws Problem `not_found` if no authenticator app is in force */
    removeTotp: async (scope: Scope, client: Client): Promise<void> => {
      const { userId } = scope.actor;
      await changeFactors(scope, 'totp_removed', client, async ({ factors }) => {
        if (!(await factors.deleteTotp(userId))) throw notFound();
      });
    },

    /** @throws Problem `not_found` if the account has no second factor */
    replaceRecoveryCodes: (scope: Scope, client: Client): Promise<string[]> =>
      changeFactors(scope, 'recovery_codes_replaced', client, async ({ factors }) => {
        const { totp: hasTotp, passkeys } = await factors.count(scope.actor.userId);
        if (!hasTotp && passkeys === 0) throw notFound();
        return replaceRecoveryCodes(factors, scope.actor.userId);
      }),

    /** Checks a recovery code. */
    checkRecoveryCode: async (userId: string, code: string): Promise<CheckedFactor> => ({
      userId,
      methods: ['recovery', 'mfa'],
      use: ({ factors }) => factors.useRecoveryCode(userId, hashOfRecoveryCode(code)),
    }),

    /** For admins: removes all second factors of a user and ends their sessions. @throws Problem `not_found` */
    removeAllOf: async (scope: Scope, userId: string, client: Client): Promise<void> => {
      await database
        .system(scope)
        .transaction(async ({ users, factors, passkeys, userSessions, auditEvents, jobs }) => {
          const user = found(await users.lock(userId));
          const removed = { totp: await factors.deleteTotp(userId), passkeys: await passkeys.deleteAllOf(userId) };
          await factors.replaceRecoveryCodes(userId, []);
          if (!removed.totp && removed.passkeys === 0) return;
          await userSessions.revokeAllOf(userId, 'factors_changed', clock());
          const { userId: actor_id, sessionId: session_id } = requireSession(scope);
          const event = { action: 'factors_removed', user_id: userId, actor_id, session_id, details: removed } as const;
          await auditEvents.create({ ...event, ...client });
          // Without the address of the admin.
          await mail.send({ jobs }, factorsRemovedMail, user.email, {});
        });
      mail.wake();
    },
  };
}

export type FactorService = ReturnType<typeof createFactors>;

const wrongCode = () => invalid('/code', 'is wrong or has expired');

async function replaceRecoveryCodes(factors: SystemRepositories['factors'], userId: string): Promise<string[]> {
  const codes = newRecoveryCodes();
  await factors.replaceRecoveryCodes(userId, codes.map(hashOfRecoveryCode));
  return codes;
}
