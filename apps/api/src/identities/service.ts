import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Database, requireSession, type Scope } from '@quoin/db';
import type { BeginSession, SignInResult } from '../auth/begin-session.ts';
import { hashOfChallenge, newChallenge } from '../auth/challenges.ts';
import type { ChangeFactors } from '../auth/change-factors.ts';
import { refuseProof } from '../auth/invalid-proof.ts';
import type { RequireWayIn } from '../auth/way-in.ts';
import type { Config } from '../config/config.ts';
import type { Client } from '../http/client.ts';
import { invalid, notFound, Problem } from '../http/errors.ts';
import type { FindAccount } from './account.ts';
import type { Profile } from './profile.ts';
import { type Attempt, createProvider, outcomeOf, type Provider } from './provider.ts';
import type { ProviderStart } from './schemas.ts';

interface Dependencies {
  database: Database;
  config: Pick<Config, 'providers' | 'appUrl'>;
  beginSession: BeginSession;
  changeFactors: ChangeFactors;
  requireWayIn: RequireWayIn;
  findAccount: FindAccount;
  clock: () => Date;
  log: { warn: (details: object, message: string) => void };
}

/** Time to sign in at the provider. */
const attemptSeconds = 600;
/** Time in which the front end exchanges its code. */
const exchangeSeconds = 60;
const identitiesMax = 20;

/** Stored between the start and the callback. */
interface Pending extends Omit<Attempt, 'state'> {
  provider: string;
  /** PKCE between the front end and this server: only the client that started can finish. */
  code_challenge: string;
  return_to: string;
  /** Set if an identity is linked in this session. */
  session_id: string | null;
}

/** Stored between the callback and the exchange. */
interface Finished extends Pick<Pending, 'provider' | 'code_challenge' | 'session_id'> {
  profile: Profile;
}

/** Sign-in with providers (OpenID Connect, GitHub), and the identities that users have there. */
export function createIdentities({
  database,
  config,
  beginSession,
  changeFactors,
  requireWayIn,
  findAccount,
  clock,
  log,
}: Dependencies) {
  const providers = new Map(config.providers.map((one) => [one.id, createProvider(one, clock)]));

  return {
    /** For `GET /auth/methods`. */
    providers: config.providers.map(({ id, name }) => ({ id, name })),

    /**
     * Begins an attempt to sign in, or to link an identity if there is a scope. Resolves to the page of the provider.
     *
     * @param redirectUri the callback of this server
     * @throws Problem `not_found`, `provider_unavailable`
     */
    start: async (id: string, body: ProviderStart, redirectUri: string, scope?: Scope): Promise<string> => {
      const provider = providerOf(id);
      const { return_to = '/' } = body;
      // `..` in it could lead to pages of somebody else on the same host.
      if (!pageOf(return_to, {}).startsWith(pageOf('/', {})))
        throw invalid('/return_to', 'must be a path below APP_URL');
      const attempt: Attempt = {
        state: newChallenge(),
        nonce: randomBytes(32).toString('base64url'),
        code_verifier: randomBytes(32).toString('base64url'),
        redirect_uri: redirectUri,
      };
      const url = await provider.authorizationUrl(attempt);
      const { state, ...rest } = attempt;
      const session = scope && requireSession(scope);
      await remember('provider_state', state, attemptSeconds, session?.userId, {
        ...rest,
        provider: id,
        code_challenge: body.code_challenge,
        return_to,
        session_id: session?.sessionId ?? null,
      } satisfies Pending);
      return url;
    },

    /**
     * Takes the answer of a provider. Resolves to the page of the front end to return to: with `code`, or with `error`.
     *
     * @param search the query of the request, with `?`
     */
    callback: async (id: string, state: string, search: string): Promise<string> => {
      const found = await database.system().challenges.consume('provider_state', hashOfChallenge(state), clock());
      const pending = found?.data as Pending | undefined;
      const provider = providers.get(id);
      if (!found || !pending || !provider || pending.provider !== id) return pageOf('/', { error: 'invalid_state' });
      const { return_to, code_challenge, session_id } = pending;
      try {
        const profile = await provider.finish(search, { ...pending, state });
        const code = newChallenge();
        const finished: Finished = { provider: id, profile, code_challenge, session_id };
        await remember('provider_exchange', code, exchangeSeconds, found.user_id ?? undefined, { ...finished });
        return pageOf(return_to, { code });
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome.code !== 'access_denied')
          log.warn({ provider: id, ...outcome.log }, 'a sign-in with a provider failed');
        return pageOf(return_to, { error: outcome.code });
      }
    },

    /**
     * Finishes an attempt for the client that started it. Signs in, and creates the account if it is new; for an attempt to link, links the identity and resolves to undefined.
     *
     * @throws Problem `invalid_credentials`, `email_taken`, `account_inactive`, `identity_taken`
     */
    exchange: async (code: string, codeVerifier: string, client: Client): Promise<SignInResult | undefined> => {
      const found = await database.system().challenges.consume('provider_exchange', hashOfChallenge(code), clock());
      const finished = found?.data as Finished | undefined;
      const provider = finished && providers.get(finished.provider);
      if (!finished || !provider || !isVerifierOf(finished.code_challenge, codeVerifier))
        return refuseProof(database, 'wrong_provider_code', found?.user_id ?? undefined, client);
      if (finished.session_id && found?.user_id)
        return link(finished, { userId: found.user_id, sessionId: finished.session_id }, client);
      return signIn(provider, finished.profile, client);
    },

    list: async (scope: Scope) => ({ items: await database.system().identities.list(scope.owner.userId) }),

    /** Your other sessions end. @throws Problem `not_found`, `last_sign_in_method` */
    unlink: async (scope: Scope, id: string, client: Client): Promise<void> => {
      const { userId } = scope.actor;
      await changeFactors(scope, 'identity_unlinked', client, async (repositories, user) => {
        const identity = await repositories.identities.delete(userId, id);
        if (!identity) throw notFound();
        await requireWayIn(repositories, user);
      });
    },
  };

  /** @throws Problem `not_found` */
  function providerOf(id: string): Provider {
    const provider = providers.get(id);
    if (!provider) throw notFound();
    return provider;
  }

  async function remember(
    purpose: 'provider_state' | 'provider_exchange',
    secret: string,
    seconds: number,
    userId: string | undefined,
    data: Record<string, unknown>,
  ): Promise<void> {
    const created_at = clock();
    await database.system().challenges.create({
      token_hash: hashOfChallenge(secret),
      purpose,
      user_id: userId ?? null,
      email: null,
      data,
      created_at,
      expires_at: new Date(created_at.getTime() + seconds * 1000),
    });
  }

  async function signIn(provider: Provider, profile: Profile, client: Client): Promise<SignInResult> {
    const userId = await findAccount(provider, profile, client);
    const result = await beginSession(userId, client, async ({ users, identities }) =>
      // In the order in which identities are unlinked.
      (await users.lock(userId)) && (await identities.recordUse(userId, profile, clock())) ? ['ext'] : undefined,
    );
    return result ?? refuseProof(database, 'wrong_provider_code', userId, client);
  }

  async function link(
    { provider, profile }: Finished,
    { userId, sessionId }: { userId: string; sessionId: string },
    client: Client,
  ): Promise<undefined> {
    const actor = { via: 'session', userId, sessionId, authenticatedAt: clock() } as const;
    const scope: Scope = { actor, owner: { userId }, isAdmin: false };
    await changeFactors(scope, 'identity_linked', client, async ({ identities }) => {
      if ((await identities.count(userId)) >= identitiesMax)
        throw new Problem('identity_taken', `An account has at most ${identitiesMax} identities. Unlink one first.`);
      const { issuer, subject, email } = profile;
      const identity = await identities.create({ user_id: userId, provider, issuer, subject, email });
      if (identity || (await identities.findUserId(issuer, subject)) === userId) return;
      throw new Problem('identity_taken', 'This account at the provider signs in to another account here.');
    });
  }

  function pageOf(path: string, query: Record<string, string>): string {
    const url = new URL(`${config.appUrl.replace(/\/+$/, '')}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }
}

export type Identities = ReturnType<typeof createIdentities>;

function isVerifierOf(codeChallenge: string, codeVerifier: string): boolean {
  const given = Buffer.from(hash('sha256', codeVerifier, 'base64url'));
  const expected = Buffer.from(codeChallenge);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
