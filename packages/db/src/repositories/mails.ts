import { type Insertable, type Kysely, sql } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../schema/tables.ts';

export type MailKind =
  | 'reset_password'
  | 'set_password'
  | 'verify_email'
  | 'password_changed'
  | 'email_changed'
  | 'username_changed';

export type NewMail = Omit<Insertable<Tables['mails']>, 'id' | 'attempts' | 'next_attempt_at'>;

/** The outbox: mails that have not been sent. */
export const mails = (db: Kysely<Tables>) => ({
  create: (mail: NewMail) =>
    db
      .insertInto('mails')
      .values({ id: v7(), next_attempt_at: mail.created_at ?? sql`now()`, ...mail })
      .execute(),

  /**
   * Takes at most `limit` mails that are due, the longest waiting first, and puts their next attempt to `leaseEnd`: until then nobody
   * else takes them, and after a crash somebody does. Any number of processes can do this at once.
   */
  claim: (now: Date, leaseEnd: Date, limit: number) =>
    db
      .updateTable('mails')
      .set((set) => ({ next_attempt_at: leaseEnd, attempts: set('attempts', '+', 1) }))
      .where('id', 'in', (inner) =>
        inner
          .selectFrom('mails')
          .select('id')
          .where('next_attempt_at', '<=', now)
          .orderBy('next_attempt_at')
          .orderBy('id')
          .limit(limit)
          .forUpdate()
          .skipLocked(),
      )
      .returningAll()
      .execute(),

  postpone: (id: string, nextAttemptAt: Date) =>
    db.updateTable('mails').set({ next_attempt_at: nextAttemptAt }).where('id', '=', id).execute(),

  count: async () => {
    const { count } = await db
      .selectFrom('mails')
      .select(({ fn }) => fn.countAll<string>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  },

  delete: (id: string) => db.deleteFrom('mails').where('id', '=', id).execute(),
});
