import { UsageError } from '@quoin/db/command';

// Who owns the rows of a resource, who reads and who writes them.

export type OwnerKind = 'user' | 'organization' | 'nobody';

export interface Owner {
  kind: OwnerKind;
  /** The column with the id of the owner, and the variable with the id. Empty if nobody owns the rows. */
  column: string;
  variable: string;
  /** Whether everybody reads the rows. */
  isPublic: boolean;
  /** Whether a user's rows can be shared with an organization, whose members read them. */
  isReadByMembers: boolean;
  /** Whether only admins write the rows: of the organization, or of the server. */
  isWrittenByAdmins: boolean;
}

export interface OwnerOptions {
  'owned-by'?: string | undefined;
  'public-read'?: boolean | undefined;
  'read-by-members'?: boolean | undefined;
  'admin-write'?: boolean | undefined;
}

/** @throws UsageError */
export function readOwner({
  'owned-by': kind = 'user',
  'public-read': isPublic = false,
  'read-by-members': isReadByMembers = false,
  'admin-write': isAdmin = false,
}: OwnerOptions): Owner {
  if (kind !== 'user' && kind !== 'organization' && kind !== 'nobody')
    throw new UsageError('--owned-by must be user, organization or nobody');
  if (isReadByMembers && kind === 'nobody')
    throw new UsageError('--read-by-members needs --owned-by user or organization');
  if (isAdmin && kind === 'user') throw new UsageError('--admin-write needs --owned-by organization or nobody');
  return {
    kind,
    column: kind === 'nobody' ? '' : `${kind}_id`,
    variable: kind === 'nobody' ? '' : `${kind}Id`,
    isPublic,
    // Members read the rows of their organization anyway.
    isReadByMembers: isReadByMembers && kind === 'user',
    isWrittenByAdmins: isAdmin || kind === 'nobody',
  };
}
