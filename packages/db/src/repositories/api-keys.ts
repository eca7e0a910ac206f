import { type Insertable, type Selectable, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';
import { deleteOld } from './delete-old.ts';

export type NewApiKey = Pick<
  Insertable<Tables['api_keys']>,
  'user_id' | 'organization_id' | 'name' | 'secret_hash' | 'scopes' | 'created_at' | 'expires_at'
>;
/** An API key without its secret. */
export type ApiKey = Pick<
  Selectable<Tables['api_keys']>,
  'id' | 'user_id' | 'organization_id' | 'name' | 'scopes' | 'created_at' | 'expires_at' | 'last_used_at'
>;

const columns = [
  'id',
  'user_id',
  'organization_id',
  'name',
  'scopes',
  'created_at',
  'expires_at',
  'last_used_at',
] as const;

/** API keys. */
export const apiKeys = ({ db }: Context) => ({
  create: (key: NewApiKey) =>
    db
      .insertInto('api_keys')
      .values({ id: newId(), ...key })
      .returning(columns)
      .executeTakeFirstOrThrow(),

  /** Expired keys too. */
  list: (userId: string) =>
    db.selectFrom('api_keys').select(columns).where('user_id', '=', userId).orderBy('id').execute(),

  /** The keys of all members of an organization for its rows. Expired keys too. */
  listOf: (organizationId: string) =>
    db
      .selectFrom('api_keys')
      .select(columns)
      .where('organization_id', '=', organizationId)
      .orderBy('user_id')
      .orderBy('id')
      .execute(),

  /** Resolves to the deleted key. Resolves to undefined if the organization has no such key. */
  deleteOf: (organizationId: string, id: string) =>
    db
      .deleteFrom('api_keys')
      .where('organization_id', '=', organizationId)
      .where('id', '=', id)
      .returning(columns)
      .executeTakeFirst(),

  /** Resolves to the address of the owner, if the key has this secret. */
  findOwner: async ({
    userId,
    apiKeyId,
    secretHash,
  }: {
    userId: string;
    apiKeyId: string;
    secretHash: Uint8Array;
  }): Promise<string | undefined> => {
    const owner = await db
      .selectFrom('api_keys')
      .innerJoin('users', 'users.id', 'api_keys.user_id')
      .select('users.email')
      .where('api_keys.user_id', '=', userId)
      .where('api_keys.id', '=', apiKeyId)
      .where('secret_hash', '=', secretHash)
      .executeTakeFirst();
    return owner?.email;
  },

  /** Resolves to the deleted key. Resolves to undefined if the user has no such key. @param secretHash deletes the key only if it has this secret */
  delete: (userId: string, id: string, secretHash?: Uint8Array) => {
    const query = db.deleteFrom('api_keys').where('user_id', '=', userId).where('id', '=', id);
    return (secretHash ? query.where('secret_hash', '=', secretHash) : query).returning(columns).executeTakeFirst();
  },

  /** Resolves to the deleted keys. */
  deleteAllOf: (userId: string) => db.deleteFrom('api_keys').where('user_id', '=', userId).returning(columns).execute(),

  /** Records that keys are in use. Skips rows that another transaction is writing, so that nothing waits. The next request records the use again. */
  recordUse: async (keys: readonly { userId: string; apiKeyId: string }[], now: Date) => {
    const userIds = keys.map((one) => one.userId);
    const ids = keys.map((one) => one.apiKeyId);
    await sql`
      with used as (
        select user_id, id
        from unnest(${userIds}::uuid[], ${ids}::uuid[]) as used (user_id, id) join api_keys using (user_id, id)
        for update of api_keys skip locked)
      update api_keys as key set last_used_at = greatest(last_used_at, ${now}::timestamptz)
      from used where key.user_id = used.user_id and key.id = used.id`.execute(db);
  },

  /** Notes that the owners of at most `limit` keys are warned: their keys expire between `now` and `before`. Resolves to the addresses of the owners. */
  warnOfExpiry: async (now: Date, before: Date, limit: number): Promise<string[]> => {
    const warned = await db
      .with('expiring', (inner) =>
        inner
          .selectFrom('api_keys')
          .select(['user_id', 'id'])
          .where('expires_at', '>', now)
          .where('expires_at', '<=', before)
          .where('warned_at', 'is', null)
          // A shorter life needs no warning.
          .where(sql<boolean>`expires_at - created_at > interval '7 days'`)
          .orderBy('expires_at')
          .limit(limit)
          .forUpdate()
          .skipLocked(),
      )
      .updateTable('api_keys')
      .from(['expiring', 'users'])
      .set({ warned_at: now })
      .whereRef('api_keys.user_id', '=', 'expiring.user_id')
      .whereRef('api_keys.id', '=', 'expiring.id')
      .whereRef('users.id', '=', 'api_keys.user_id')
      .returning('users.email')
      .execute();
    return warned.map(({ email }) => email);
  },

  /** Deletes at most `limit` keys that expired before then. Resolves to their number. */
  deleteExpired: (before: Date, limit: number) =>
    deleteOld(db, { table: 'api_keys', key: ['user_id', 'id'], column: 'expires_at' }, before, limit),
});
