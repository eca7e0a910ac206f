import { randomBytes } from 'node:crypto';
import type { Database, MailKind, Scope, SystemRepositories, User } from '@quoin/db';
import type { Door, Entrance } from '../auth/begin-session.ts';
import { invalidProof } from '../auth/mfa.ts';
import type { Client } from '../http/client.ts';
import { found, invalid, notFound, Problem } from '../http/errors.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { CheckedCredential, Webauthn } from './webauthn.ts';

interface Dependencies {
  database: Database;
  webauthn: Webauthn;
  door: Door;
  outbox: Outbox;
  clock: () => Date;
}

const handleBytes = 64;
const passkeysMax = 20;

/** Passkeys: their owner adds, lists, renames and removes them, and signs in with them. */
export function createPasskeys({ database, webauthn, door, outbox, clock }: Dependencies) {
  return {
    registrationOptions: async (scope: Scope) => {
      const { userId, sessionId } = scope.actor;
      const { user, handle, existing } = await database.system().transaction(async ({ users, passkeys }) => ({
        user: found(await users.find(userId)),
        handle: found(await users.webauthnHandle(userId, randomBytes(handleBytes))),
        existing: await passkeys.listCredentials(userId),
      }));
      if (existing.length >= passkeysMax) throw tooMany();
      return webauthn.registrationOptions(user, sessionId, handle, existing);
    },

    /** @throws Problem `validation_failed` at `/credential` */
    register: async (scope: Scope, credential: unknown, name: string, client: Client) => {
      const { userId: user_id, sessionId } = scope.actor;
      const { challengeHash, ...key } = await checked(() => webauthn.checkRegistration(credential));
      return change(scope, 'passkey_added', client, async ({ challenges, factors, passkeys, userSessions }) => {
        const challenge = await challenges.consume('passkey_registration', challengeHash, clock());
        if (challenge?.user_id !== user_id || challenge.data.session_id !== sessionId) throw invalidCredential();
        if ((await factors.count(user_id)).passkeys >= passkeysMax) throw tooMany();
        const passkey = await passkeys.create({ user_id, name, ...key, counter: String(key.counter) });
        if (!passkey) throw invalidCredential();
        const methods = [key.is_device_bound ? 'hwk' : 'swk', 'mfa'] as const;
        await userSessions.reauthenticate({ userId: user_id, sessionId }, methods, clock(), { isCookie: false });
        return passkey;
      });
    },

    list: async (scope: Scope) => ({
      items: await database.system().transaction(({ passkeys }) => passkeys.list(scope.owner.userId)),
    }),

    /** @throws Problem `not_found` */
    rename: (scope: Scope, id: string, name: string) =>
      database
        .system(scope)
        .transaction(async ({ passkeys }) => found(await passkeys.rename(scope.owner.userId, id, name))),

    /** @throws Problem `not_found`, `last_sign_in_method` */
    remove: async (scope: Scope, id: string, client: Client): Promise<void> => {
      const { userId } = scope.actor;
      await change(scope, 'passkey_removed', client, async ({ factors, passkeys }, user) => {
        if (!(await passkeys.delete(userId, id))) throw notFound();
        const left = await factors.count(userId);
        if (left.passkeys === 0 && !user.password_hash)
          throw new Problem('last_sign_in_method', 'Set a password or add another passkey first.');
        if (left.passkeys === 0 && !left.totp) await factors.replaceRecoveryCodes(userId, []);
      });
    },

    signInOptions: webauthn.signInOptions,

    /** @throws Problem `invalid_credentials` */
    signIn: async (credential: unknown, client: Client): Promise<Entrance> => {
      const passkey = await webauthn.checkSignIn(credential);
      const entrance =
        passkey &&
        (await door.signIn(passkey.userId, client, async (repositories) =>
          (await passkey.use(repositories)) ? passkey.methods : undefined,
        ));
      if (entrance) return entrance;
      const event = { action: 'sign_in_failed', user_id: passkey?.userId ?? null } as const;
      await database.system().auditEvents.create({ ...event, details: { reason: 'wrong_passkey' }, ...client });
      throw invalidProof();
    },
  };

  /** Changes the passkeys of the caller, ends their other sessions, records it, and tells them. */
  async function change<T>(
    scope: Scope,
    what: 'passkey_added' | 'passkey_removed',
    client: Client,
    work: (repositories: SystemRepositories, user: User) => Promise<T>,
  ): Promise<T> {
    const { userId, sessionId } = scope.actor;
    const result = await database.system(scope).transaction(async (repositories) => {
      const user = found(await repositories.users.lock(userId));
      const done = await work(repositories, user);
      await repositories.userSessions.revokeAllOf(userId, 'factors_changed', clock(), { except: sessionId });
      const event = { action: what, user_id: userId, actor_id: userId, session_id: sessionId } as const;
      await repositories.auditEvents.create({ ...event, ...client });
      // No permit needed: a passkey changes only after a recent proof.
      await outbox.post(
        repositories,
        { kind: what satisfies MailKind, recipient: user.email, isAllowed: true },
        client,
      );
      return done;
    });
    outbox.wake();
    return result;
  }
}

export type PasskeyService = ReturnType<typeof createPasskeys>;

const invalidCredential = () => invalid('/credential', 'was not created for this account and site, or was used before');
const tooMany = () => invalid('', `is not possible: an account has at most ${passkeysMax} passkeys`);

async function checked(check: () => Promise<CheckedCredential>): Promise<CheckedCredential> {
  try {
    return await check();
  } catch {
    throw invalidCredential();
  }
}
