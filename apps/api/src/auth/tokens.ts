import type { AccessTokens } from './access-token.ts';
import type { RefreshTokens, SessionKeys } from './refresh-token.ts';
import type { TokenPair } from './schemas.ts';

/** Returns the current tokens of a session. */
export const tokenPairOf = (
  { accessTokens, refreshTokens }: { accessTokens: AccessTokens; refreshTokens: RefreshTokens },
  session: SessionKeys,
): TokenPair => ({
  access_token: accessTokens.sign({
    userId: session.user_id,
    sessionId: session.id,
    generation: session.generation,
    methods: session.methods,
    authenticatedAt: session.authenticated_at,
  }),
  refresh_token: refreshTokens.create(session),
  token_type: 'bearer',
  expires_in: accessTokens.expiresInSeconds,
});
