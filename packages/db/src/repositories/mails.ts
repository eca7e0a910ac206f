import { type Insertable, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';

export type NewMail = Omit<Insertable<Tables['mails']>, 'id' | 'attempts' | 'next_attempt_at'>;

const columns = [
  'id',
  'kind',
  'recipient',
  'user_agent',
  'ip_address',
  'request_id',
  'attempts',
  'created_at',
  'expires_at',
] as const;

/** The outbox. */
export const mails = ({ db }: Context) => ({
  create: (mail: NewMail) =>
    db
      .insertInto('mails')
      .values({ id: newId(), next_attempt_at: mail.created_at ?? sql`now()`, ...mail })
      .execute(),

  /**
   * Claims at most `limit` due mails, the oldest first, until `leaseEnd`. Any number of processes can claim at once. If a process dies, another one
   * claims its mails after the lease.
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
      .returning(columns)
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

/** A claimed mail. */
export type Mail = Awaited<ReturnType<ReturnType<typeof mails>['claim']>>[number];
