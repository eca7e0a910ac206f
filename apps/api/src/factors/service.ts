import type { AuditAction, Database, MailKind, Scope, SystemRepositories } from '@quoin/db';
import type { CheckedFactor } from '../auth/factors.ts';
import { factorGuesses } from '../auth/factors.ts';
import { type Client, noClient } from '../http/client.ts';
import { found, invalid, notFound } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Outbox } from '../mail/outbox.ts';
import { hashOfRecoveryCode, newRecoveryCodes } from './recovery-codes.ts';
import type { Totp } from './totp.ts';

interface Dependencies {
  database: Database;
  totp: Totp;
  outbox: Outbox;
  limiter: Limiter;
  clock: () => Date;
}

/** Second factors of the caller, and their removal by admins. Each change ends the other sessions and sends a mail. */
export function createFactors({ database, totp, outbox, limiter, clock }: Dependencies) {
  return {
    count: (scope: Scope) => database.system().transaction(({ factors }) => factors.count(scope.owner.userId)),

    beginTotp: totp.begin,

    /** Puts the pending secret in force. @returns new recovery codes; the old ones are void @throws Problem `validation_failed` at `/code` */
    confirmTotp: async (scope: Scope, code: string, client: Client): Promise<string[]> => {
      const { userId, sessionId } = scope.actor;
      await limiter.take(factorGuesses.name, userId, factorGuesses.rate);
      const checked = await totp.checkPending(userId, code);
      if (!checked) throw wrongCode();
      await limiter.giveBack([{ ...factorGuesses, key: userId }]);
      return change(scope, 'totp_added', client, async ({ factors, userSessions }) => {
        const now = clock();
        if (!(await factors.confirmTotp(userId, checked.pending, checked.step, now))) throw wrongCode();
        await userSessions.reauthenticate({ userId, sessionId }, ['otp', 'mfa'], now, { isCookie: false });
        return replaceRecoveryCodes(factors, userId);
      });
    },

    /** @throws Problem `not_found` if no authenticator app is in force */
    removeTotp: async (scope: Scope, client: Client): Promise<void> => {
      const { userId } = scope.actor;
      await change(scope, 'totp_removed', client, async ({ factors }) => {
        if (!(await factors.deleteTotp(userId))) throw notFound();
        await deleteUselessCodes(factors, userId);
      });
    },

    /** @throws Problem `not_found` if the account has no second factor */
    replaceRecoveryCodes: (scope: Scope, client: Client): Promise<string[]> =>
      change(scope, 'recovery_codes_replaced', client, async ({ factors }) => {
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
    removeAllOf: (scope: Scope, userId: string, client: Client) =>
      database.system(scope).transaction(async ({ users, factors, passkeys, userSessions, auditEvents, mails }) => {
        const user = found(await users.lock(userId));
        const hadTotp = await factors.deleteTotp(userId);
        const details = { totp: hadTotp, passkeys: await passkeys.deleteAllOf(userId) };
        await factors.replaceRecoveryCodes(userId, []);
        await userSessions.revokeAllOf(userId, 'factors_changed', clock());
        const { userId: actor_id, sessionId: session_id } = scope.actor;
        const event = { action: 'factors_removed', user_id: userId, actor_id, session_id, details } as const;
        await auditEvents.create({ ...event, ...client });
        // The mail does not contain the address of the admin.
        await outbox.post({ mails }, { kind: 'factors_removed', recipient: user.email, isAllowed: true }, noClient);
      }),
  };

  /** Changes the factors of the caller, ends their other sessions, records it, and tells them. */
  async function change<T>(
    scope: Scope,
    what: AuditAction & MailKind,
    client: Client,
    work: (repositories: SystemRepositories) => Promise<T>,
  ): Promise<T> {
    const { userId, sessionId } = scope.actor;
    const result = await database.system(scope).transaction(async (repositories) => {
      const user = found(await repositories.users.lock(userId));
      const done = await work(repositories);
      await repositories.userSessions.revokeAllOf(userId, 'factors_changed', clock(), { except: sessionId });
      const event = { action: what, user_id: userId, actor_id: userId, session_id: sessionId } as const;
      await repositories.auditEvents.create({ ...event, ...client });
      // No permit needed: a factor changes only after a recent proof.
      await outbox.post(repositories, { kind: what, recipient: user.email, isAllowed: true }, client);
      return done;
    });
    outbox.wake();
    return result;
  }
}

export type FactorService = ReturnType<typeof createFactors>;

const wrongCode = () => invalid('/code', 'is wrong or has expired');

async function replaceRecoveryCodes(factors: SystemRepositories['factors'], userId: string): Promise<string[]> {
  const codes = newRecoveryCodes();
  await factors.replaceRecoveryCodes(userId, codes.map(hashOfRecoveryCode));
  return codes;
}

/** Without a second factor, recovery codes replace nothing. */
export async function deleteUselessCodes(factors: SystemRepositories['factors'], userId: string): Promise<void> {
  const { totp, passkeys } = await factors.count(userId);
  if (!totp && passkeys === 0) await factors.replaceRecoveryCodes(userId, []);
}
