import { Type } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccessTokens } from './access-token.ts';
import { type SignInResult, sessionOf } from './begin-session.ts';
import type { SessionCookie } from './cookie.ts';
import type { RefreshTokens } from './refresh-token.ts';
import { type SessionForm, TokenPair } from './schemas.ts';
import { tokenPairOf } from './tokens.ts';

/** Responses of routes that sign in. */
export const signInResponses = {
  200: TokenPair,
  204: Type.Null({ description: 'Signed in with a cookie, because the request has `session: "cookie"`.' }),
};

interface Dependencies {
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  sessionCookie: SessionCookie;
}

/** Answers a sign-in with tokens or with a cookie. */
export function createSignInAnswer({ accessTokens, refreshTokens, sessionCookie }: Dependencies) {
  /** @throws Problem `account_inactive`, `mfa_required` */
  return async (
    request: FastifyRequest,
    reply: FastifyReply,
    result: SignInResult,
    form: SessionForm,
  ): Promise<TokenPair | undefined> => {
    const session = sessionOf(result);
    // The caller is the owner, so failed guesses of others must not block this address.
    await request.server.recordOwnerAddress('login', session.user_id, request);
    if (form !== 'cookie') {
      // Beside an access token, an old cookie would make every request malformed, and scripts cannot remove it.
      if (sessionCookie.isSent(request)) sessionCookie.remove(request, reply);
      return tokenPairOf({ accessTokens, refreshTokens }, session);
    }
    sessionCookie.set(request, reply, session);
    reply.code(204);
    return undefined;
  };
}

export type SignInAnswer = ReturnType<typeof createSignInAnswer>;
