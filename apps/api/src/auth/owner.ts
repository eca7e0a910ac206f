import type { Scope } from '@quoin/db';
import { forbidden } from '../http/errors.ts';

/**
 * The scope for working on what belongs to `userId`, as it stands in a path: `me`, the caller's own id, or for an admin anybody's.
 * The database then shows that user's rows and no others, to an admin as well.
 *
 * @throws Problem `forbidden`
 */
export function scopeOf(scope: Scope, userId: string): Scope {
  const ownerId = userId === 'me' ? scope.userId : userId.toLowerCase();
  if (ownerId !== scope.userId && !scope.isAdmin) throw forbidden();
  return { ...scope, userId: ownerId };
}

/** The columns of an audit event about what a user does to their own account. */
export const byOneself = ({ userId, sessionId }: Scope) => ({
  user_id: userId,
  actor_id: userId,
  session_id: sessionId,
});
