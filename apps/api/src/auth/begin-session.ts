import { hash, randomBytes } from 'node:crypto';
import type { AuthenticationMethod, Database, Factors, SystemRepositories, User } from '@quoin/db';
import type { Config } from '../config/config.ts';
import type { Client } from '../http/client.ts';
import { Problem } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Rate } from '../http/throttle/memory-store.ts';
import { deletionCancelledMail } from '../mail/kinds/deletion-cancelled.ts';
import { newSignInMail } from '../mail/kinds/new-sign-in.ts';
import type { Mail } from '../mail/mail.ts';
import { canSignIn } from '../users/can-sign-in.ts';
import { hashOfChallenge, newChallenge } from './challenges.ts';
import type { FingerprintOf } from './known-client.ts';
import type { SessionKeys } from './refresh-token.ts';

interface Dependencies {
  database: Database;
  config: Pick<Config, 'sessionSeconds'>;
  mail: Mail;
  limiter: Limiter;
  fingerprintOf: FingerprintOf;
  clock: () => Date;
}

const tokenSecretBytes = 32;
/** Time for the second factor after the first. */
const mfaSeconds = 300;
/** Each sign-in costs a session and an audit event. Only the owner of the account can fill this bucket. */
const signInsPerAccount: Rate = { burst: 100, perMinute: 10 };

/** What a sign-in leads to: a session, the question for the second factor, or nothing, because the account is deactivated. */
export type SignInResult =
  | { session: SessionKeys }
  | { mfa: { mfa_token: string; methods: SecondFactor[] } }
  | { isInactive: true };

export type SecondFactor = 'totp' | 'recovery_code' | 'passkey';

/**
 * Verifies that the caller is the user, in the transaction that begins the session: a proof that works once is consumed here. Resolves to how the user proved it; undefined
 * if the proof does not hold.
 */
type Verify = (repositories: SystemRepositories) => Promise<AuthenticationMethod[] | undefined>;

/** Signs a user in. Resolves to undefined if `verify` does. */
export type BeginSession = (userId: string, client: Client, verify: Verify) => Promise<SignInResult | undefined>;

/**
 * Creates the only function that begins sessions. Every way to sign in calls it, and nothing else creates sessions (`scripts/layers.ts` checks it). So what must hold for
 * every session holds here: the account is active, a second factor was given if there is one, sign-ins are limited, and the owner gets a notice of sign-ins from a new
 * network or browser.
 */
export function createBeginSession({
  database,
  config,
  mail,
  limiter,
  fingerprintOf,
  clock,
}: Dependencies): BeginSession {
  return async (userId, client, verify) => {
    await limiter.take('sign-ins', userId, signInsPerAccount);
    const result = await database.system().transaction(async (repositories) => {
      const methods = await verify(repositories);
      return methods && signIn(repositories, userId, methods, client);
    });
    mail.wake();
    return result;
  };

  async function signIn(
    repositories: SystemRepositories,
    userId: string,
    methods: AuthenticationMethod[],
    client: Client,
  ): Promise<SignInResult> {
    const { users, factors, challenges, auditEvents } = repositories;
    // Locked, so that a session either exists before a change of factors, which revokes it, or sees the new factors.
    const user = await users.lock(userId);
    if (!canSignIn(user)) {
      const details = { reason: 'account_inactive' };
      await auditEvents.create({ action: 'sign_in_failed', user_id: userId, details, ...client });
      return { isInactive: true };
    }
    if (!methods.includes('mfa')) {
      const seconds = secondFactorsOf(await factors.count(userId));
      if (seconds.length > 0) {
        const mfa_token = newChallenge();
        const now = clock();
        await challenges.create({
          token_hash: hashOfChallenge(mfa_token),
          purpose: 'mfa',
          user_id: userId,
          data: { methods, credentials: credentialsOf(user) },
          created_at: now,
          expires_at: new Date(now.getTime() + mfaSeconds * 1000),
        });
        const event = { action: 'mfa_required', user_id: userId, details: { methods } } as const;
        await auditEvents.create({ ...event, ...client });
        return { mfa: { mfa_token, methods: seconds } };
      }
    }
    return { session: await createSession(repositories, user, methods, client) };
  }

  async function createSession(
    { deletedAccounts, userSessions, auditEvents, knownClients, jobs }: SystemRepositories,
    { id: user_id, email, deletion_due_at }: User,
    methods: AuthenticationMethod[],
    client: Client,
  ): Promise<SessionKeys> {
    const now = clock();
    const token_secret = randomBytes(tokenSecretBytes);
    const id = await userSessions.create({
      token_secret,
      user_id,
      methods,
      user_agent: client.user_agent,
      ip_address: client.ip_address,
      created_at: now,
      last_used_at: now,
      expires_at: new Date(now.getTime() + config.sessionSeconds * 1000),
    });
    if (deletion_due_at && (await deletedAccounts.cancel(user_id))) {
      await auditEvents.create({ action: 'deletion_cancelled', user_id, actor_id: user_id, session_id: id, ...client });
      await mail.send({ jobs }, deletionCancelledMail, email, {}, client);
    }
    const event = { action: 'signed_in', user_id, actor_id: user_id, session_id: id, details: { methods } } as const;
    await auditEvents.create({ ...event, ...client });
    if (await knownClients.record(user_id, fingerprintOf(user_id, client), now))
      await mail.send({ jobs }, newSignInMail, email, {}, client);
    return { id, user_id, generation: 0, token_secret, methods, authenticated_at: now };
  }
}

/** Returns the second factors that a user can give; empty if the account needs none. */
export function secondFactorsOf({ totp, passkeys, recovery_codes_left }: Factors): SecondFactor[] {
  if (!totp && passkeys === 0) return [];
  return [
    ...(totp ? (['totp'] as const) : []),
    ...(passkeys > 0 ? (['passkey'] as const) : []),
    ...(recovery_codes_left > 0 ? (['recovery_code'] as const) : []),
  ];
}

/** Identifies what the first factor was checked against. A new password or address makes it worthless. */
export const credentialsOf = ({ email, password_hash }: Pick<User, 'email' | 'password_hash'>): string =>
  hash('sha256', JSON.stringify([email, password_hash]), 'base64url');

/** Returns the session. @throws Problem `account_inactive`, `mfa_required` */
export function sessionOf(result: SignInResult): SessionKeys {
  if ('session' in result) return result.session;
  if ('mfa' in result)
    throw new Problem('mfa_required', 'Send mfa_token and a second factor to POST /auth/mfa.', {
      fields: result.mfa,
    });
  throw new Problem('account_inactive', 'An admin has deactivated this account.');
}
