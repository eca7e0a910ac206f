import type { OrganizationScope, OwnerScope, Scope } from '@quoin/db';
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

/** Returns the scope for the rows of an organization. The database shows them to its members only. */
export const organizationScope = (scope: Scope, organizationId: string): OrganizationScope => ({
  ...scope,
  owner: { organizationId: organizationId.toLowerCase() },
});

/** The owner of rows, as a path names it. */
export type OwnerInPath = { user_id: string } | { organization_id: string };

/** Returns the scope for the rows of the user or the organization in a path. @throws Problem `forbidden` */
export const ownerScope = (scope: Scope, params: OwnerInPath): OwnerScope =>
  'user_id' in params ? scopeFor(scope, params.user_id) : organizationScope(scope, params.organization_id);
