import { p } from '@mikro-orm/core';

// What every table has in the same way, so that it is written once.

/** The primary key: a UUID v7, made by the application, so that ids sort by the time they were made. */
export const id = () => p.uuid().primary().comment('UUID v7, made by the application.');

/** When the row was inserted: the start of its transaction. */
export const createdAt = () =>
  p.datetime().columnType('timestamptz').defaultRaw('now()').comment('When the row was inserted.');

/** When the row was last updated. The trigger keeps it, for plain SQL too. */
export const updatedAt = () =>
  p
    .datetime()
    .columnType('timestamptz')
    .defaultRaw('now()')
    .comment('When the row was last changed; kept by a trigger, so that plain SQL keeps it too.');

/** A moment that may not have come: null until it has. */
export const momentOrNull = () => p.datetime().columnType('timestamptz').nullable();

/** The trigger behind `updatedAt()`. */
export const updatedAtTrigger = {
  name: 'set_updated_at',
  timing: 'before' as const,
  events: ['update' as const],
  forEach: 'row' as const,
  body: 'new.updated_at = now(); return new;',
};

/**
 * The policy of a table whose rows belong to a user: the role `quoin_app` sees and writes only the rows of the user whom
 * `database.as(scope, …)` has named in `app.user_id`. Where none is named, it sees nothing.
 */
export const ownerPolicy = (table: string, column: string) => {
  const owns = `${column} = nullif(current_setting('app.user_id', true), '')::uuid`;
  return { name: `${table}_owner`, roles: ['quoin_app'], using: owns, check: owns };
};

/**
 * The policy for units of work that must see every row (`database.system`) under a role that does not own the tables. The owner of a table needs
 * no policy.
 */
export const systemPolicy = (table: string) => ({
  name: `${table}_system`,
  roles: ['quoin_system'],
  using: 'true',
  check: 'true',
});
