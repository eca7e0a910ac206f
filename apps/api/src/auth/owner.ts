import type { Scope } from '@quoin/db';
import { forbidden } from '../http/errors.ts';

/**
 * Returns the scope for the rows of the user in a path: `me`, the caller's own id, or, for an admin, any id. The actor stays the caller. The database
 * hides the rows of all other users, from admins too.
 *
 * @throws Problem `forbidden`
 */
export function scopeFor(scope: Scope, userId: string): Scope {
  const ownerId = userId === 'me' ? scope.actor.userId : userId.toLowerCase();
  if (ownerId !== scope.actor.userId && !scope.isAdmin) throw forbidden();
  return { ...scope, owner: { userId: ownerId } };
}
