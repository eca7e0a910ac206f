import { type Insertable, type Selectable, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';

export type NewPasskey = Omit<Insertable<Tables['passkeys']>, 'id' | 'last_used_at'>;
/** A passkey as its owner sees it. */
export type Passkey = Pick<
  Selectable<Tables['passkeys']>,
  'id' | 'name' | 'created_at' | 'last_used_at' | 'is_backed_up'
>;

const columns = ['id', 'name', 'created_at', 'last_used_at', 'is_backed_up'] as const;

/** Passkeys. */
export const passkeys = ({ db }: Context) => ({
  /** Returns undefined if the user has this credential already. */
  create: (passkey: NewPasskey) =>
    db
      .insertInto('passkeys')
      .values({ id: newId(), ...passkey })
      .onConflict((conflict) => conflict.doNothing())
      .returning(columns)
      .executeTakeFirst(),

  list: (userId: string) =>
    db.selectFrom('passkeys').select(columns).where('user_id', '=', userId).orderBy('id').execute(),

  /** Returns what browsers need to recognize the credentials of a user. */
  listCredentials: (userId: string) =>
    db.selectFrom('passkeys').select(['credential_id', 'transports']).where('user_id', '=', userId).execute(),

  /** Returns the public key of a credential, if it belongs to the account with this WebAuthn handle. */
  findByCredential: (handle: Uint8Array, credentialId: Uint8Array) =>
    db
      .selectFrom('passkeys')
      .innerJoin('users', 'users.id', 'passkeys.user_id')
      .select(['passkeys.id', 'user_id', 'public_key', 'counter', 'is_device_bound'])
      .where('users.webauthn_handle', '=', handle)
      .where('credential_id', '=', credentialId)
      .executeTakeFirst(),

  /** Records a use. */
  recordUse: async (
    userId: string,
    id: string,
    use: { counter: number; is_backed_up: boolean; last_used_at: Date },
  ): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('passkeys')
      .set({ ...use, counter: sql<string>`greatest(counter, ${use.counter})` })
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  rename: (userId: string, id: string, name: string) =>
    db
      .updateTable('passkeys')
      .set({ name })
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .returning(columns)
      .executeTakeFirst(),

  /** Resolves to whether the passkey existed. */
  delete: async (userId: string, id: string) => {
    const { numDeletedRows } = await db
      .deleteFrom('passkeys')
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return numDeletedRows > 0n;
  },

  deleteAllOf: async (userId: string) => {
    const { numDeletedRows } = await db.deleteFrom('passkeys').where('user_id', '=', userId).executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  },
});
