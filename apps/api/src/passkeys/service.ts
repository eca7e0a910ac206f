import { randomBytes } from 'node:crypto';
import { type Database, requireSession, type Scope } from '@quoin/db';
import type { BeginSession, SignInResult } from '../auth/begin-session.ts';
import type { ChangeFactors } from '../auth/change-factors.ts';
import { refuseProof } from '../auth/invalid-proof.ts';
import type { RequireSignInMethod } from '../auth/sign-in-method.ts';
import type { Client } from '../http/client.ts';
import { found, invalid, notFound } from '../http/errors.ts';
import type { CheckedCredential, Webauthn } from './webauthn.ts';

interface Dependencies {
  database: Database;
  webauthn: Webauthn;
  beginSession: BeginSession;
  changeFactors: ChangeFactors;
  requireSignInMethod: RequireSignInMethod;
  clock: () => Date;
}

const handleBytes = 64;
const passkeysMax = 20;

/** Passkeys: their owner adds, lists, renames and removes them, and signs in with them. */
export function createPasskeys({
  database,
  webauthn,
  beginSession,
  changeFactors,
  requireSignInMethod,
  clock,
}: Dependencies) {
  return {
    registrationOptions: async (scope: Scope) => {
      const { userId, sessionId } = requireSession(scope);
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
      const { userId: user_id, sessionId } = requireSession(scope);
      const { challengeHash, ...key } = await checked(() => webauthn.checkRegistration(credential));
      return changeFactors(scope, 'passkey_added', client, async ({ challenges, factors, passkeys, userSessions }) => {
        const challenge = await challenges.consume('passkey_registration', challengeHash, clock());
        if (challenge?.user_id !== user_id || challenge.data.session_id !== sessionId) throw invalidCredential();
        if ((await factors.count(user_id)).passkeys >= passkeysMax) throw tooMany();
        const passkey = await passkeys.create({ user_id, name, ...key, counter: String(key.counter) });
        if (!passkey) throw invalidCredential();
        const methods = [key.is_device_bound ? 'hwk' : 'swk', 'mfa'] as const;
        await userSessions.addMethods({ userId: user_id, sessionId }, methods);
        return passkey;
      });
    },

    list: async (scope: Scope) => ({
      items: await database.system().passkeys.list(scope.owner.userId),
    }),

    /** @throws Problem `not_found` */
    rename: (scope: Scope, id: string, name: string) =>
      database
        .system(scope)
        .transaction(async ({ passkeys }) => found(await passkeys.rename(scope.owner.userId, id, name))),

    /** @throws Problem `not_found`, `last_sign_in_method` */
    remove: async (scope: Scope, id: string, client: Client): Promise<void> => {
      const { userId } = scope.actor;
      await changeFactors(scope, 'passkey_removed', client, async (repositories, user) => {
        if (!(await repositories.passkeys.delete(userId, id))) throw notFound();
        await requireSignInMethod(repositories, user);
      });
    },

    signInOptions: webauthn.signInOptions,

    /** @throws Problem `invalid_credentials` */
    signIn: async (credential: unknown, client: Client): Promise<SignInResult> => {
      const { passkey, isUnknown } = await webauthn.checkSignIn(credential);
      const result =
        passkey &&
        (await beginSession(passkey.userId, client, async (repositories) =>
          // In the order in which passkeys are removed.
          (await repositories.users.lock(passkey.userId)) && (await passkey.use(repositories))
            ? passkey.methods
            : undefined,
        ));
      const fields = isUnknown ? { unknown_credential: true } : {};
      return result ?? refuseProof(database, 'wrong_passkey', passkey?.userId, client, fields);
    },
  };
}

export type PasskeyService = ReturnType<typeof createPasskeys>;

const invalidCredential = () => invalid('/credential', 'was not created for this account and site, or was used before');
const tooMany = () => invalid('/credential', `would be passkey ${passkeysMax + 1}: remove another one first`);

async function checked(check: () => Promise<CheckedCredential>): Promise<CheckedCredential> {
  try {
    return await check();
  } catch {
    throw invalidCredential();
  }
}
