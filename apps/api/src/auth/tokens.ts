import type { AccessTokens } from './access-token.ts';
import type { RefreshTokens } from './refresh-token.ts';
import type { TokenPair } from './schemas.ts';

/** The columns of a session from which its tokens are computed. */
export interface SessionKeys {
  id: string;
  user_id: string;
  generation: number;
  token_secret: Uint8Array;
}

/** Returns the current tokens of a session. */
export const tokenPairOf = (
  { accessTokens, refreshTokens }: { accessTokens: AccessTokens; refreshTokens: RefreshTokens },
  { id, user_id, generation, token_secret }: SessionKeys,
): TokenPair => ({
  access_token: accessTokens.sign({ userId: user_id, sessionId: id, generation }),
  refresh_token: refreshTokens.create(id, generation, token_secret),
  token_type: 'bearer',
  expires_in: accessTokens.expiresInSeconds,
});
