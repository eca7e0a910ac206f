import type { Kysely } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { OrganizationScope, Scope } from '../scope.ts';

/** Query builders that a repository runs its statements with. */
export interface Context {
  db: Kysely<Tables>;
  /**
   * For single rows by key, and for reads in the order of an index, whatever the data. Such a statement may share a connection with those of other
   * requests. Inside a transaction it is the same as `db`.
   */
  fast: Kysely<Tables>;
}

/** The context of a user's unit of work. */
export interface OwnerContext extends Context {
  scope: Scope;
}

/** The context of a unit of work for an organization. */
export interface OrganizationContext extends Context {
  scope: OrganizationScope;
}
