import type { Database, Scope } from '@quoin/db';
import type { BeginSession, SignInResult } from '../auth/begin-session.ts';
import type { ChangeFactors } from '../auth/change-factors.ts';
import { refuseProof } from '../auth/invalid-proof.ts';
import type { RequireSignInMethod } from '../auth/sign-in-method.ts';
import type { Config } from '../config/config.ts';
import type { Client } from '../http/client.ts';
import { found, notFound } from '../http/errors.ts';
import { createIdentity, type ResolveAccount } from './account.ts';
import { createAttempts, type FinishedAttempt } from './attempts.ts';
import type { Profile } from './profile.ts';
import { createProvider, type Provider } from './provider.ts';
import type { ProviderStart } from './schemas.ts';

interface Dependencies {
  database: Database;
  config: Pick<Config, 'providers' | 'appUrl'>;
  beginSession: BeginSession;
  changeFactors: ChangeFactors;
  requireSignInMethod: RequireSignInMethod;
  resolveAccount: ResolveAccount;
  clock: () => Date;
  log: { warn: (details: object, message: string) => void };
}

/** Sign-in with providers (OpenID Connect, GitHub), and the identities that users have there. */
export function createIdentities(dependencies: Dependencies) {
  const { database, config, beginSession, changeFactors, requireSignInMethod, resolveAccount, clock } = dependencies;
  const providers = new Map(config.providers.map((one) => [one.id, createProvider(one, clock)]));
  const attempts = createAttempts({ ...dependencies, providers });

  return {
    /** For `GET /auth/methods`. */
    providers: config.providers.map(({ id, name }) => ({ id, name })),

    /** Resolves to the page of the provider. With a scope, links an identity. @throws Problem `not_found`, `provider_unavailable` */
    start: async (id: string, body: ProviderStart, redirectUri: string, scope?: Scope): Promise<string> =>
      attempts.start(found(providers.get(id)), body, redirectUri, scope),

    /** Resolves to the page of the front end. */
    receive: attempts.receive,

    /**
     * Signs in, and creates the account if it is new. For an attempt to link, links the identity and resolves to undefined.
     *
     * @throws Problem `invalid_credentials`, `email_taken`, `account_inactive`, `identity_taken`
     */
    exchange: async (code: string, codeVerifier: string, client: Client): Promise<SignInResult | undefined> => {
      const finished = await attempts.finish(code, codeVerifier);
      if (!finished) return refuseProof(database, 'wrong_provider_code', undefined, client);
      const { provider, profile, session } = finished;
      if (!session) return signIn(provider, profile, client);
      await link(finished, session, client);
      return undefined;
    },

    list: async (scope: Scope) => ({ items: await database.system().identities.list(scope.owner.userId) }),

    /** The other sessions end. @throws Problem `not_found`, `last_sign_in_method` */
    unlink: async (scope: Scope, id: string, client: Client): Promise<void> => {
      const { userId } = scope.actor;
      await changeFactors(scope, 'identity_unlinked', client, async (repositories, user, details) => {
        const identity = await repositories.identities.delete(userId, id);
        if (!identity) throw notFound();
        details.provider = identity.provider;
        await requireSignInMethod(repositories, user);
      });
    },
  };

  async function signIn(provider: Provider, profile: Profile, client: Client): Promise<SignInResult> {
    const userId = await resolveAccount(provider, profile, client);
    const result = await beginSession(userId, client, async ({ users, identities }) =>
      // In the order in which identities are unlinked.
      (await users.lock(userId)) && (await identities.recordUse(userId, profile, clock())) ? ['ext'] : undefined,
    );
    return result ?? refuseProof(database, 'wrong_provider_code', userId, client);
  }

  async function link(
    { provider, profile }: FinishedAttempt,
    { userId, sessionId }: { userId: string; sessionId: string },
    client: Client,
  ): Promise<void> {
    if ((await database.system().identities.findUserId(profile.issuer, profile.subject)) === userId) return;
    const actor = { via: 'session', userId, sessionId, authenticatedAt: clock() } as const;
    const scope: Scope = { actor, owner: { userId }, isAdmin: false };
    await changeFactors(scope, 'identity_linked', client, async (repositories, _user, details) => {
      details.provider = provider.id;
      await createIdentity(repositories, userId, provider, profile);
    });
  }
}

export type Identities = ReturnType<typeof createIdentities>;
