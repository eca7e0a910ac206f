import type { MailKind, Repositories } from '@quoin/db';
import type { Client } from '../client.ts';

/** For how long it is worth trying to send a mail. */
const usefulSeconds: Record<MailKind, number> = {
  reset_password: 3_600,
  verify_email: 86_400,
  password_changed: 3 * 86_400,
  email_changed: 3 * 86_400,
};

/**
 * Where a service leaves what is to be mailed. It is written in the transaction of what causes it, so that neither happens without the
 * other; who posts calls `wake` after the commit, and the mail is sent at once.
 */
export function createOutbox({ clock, wake = () => {} }: { clock: () => Date; wake?: () => void }) {
  return {
    /** @param client whose request causes the mail */
    post: ({ mails }: Pick<Repositories, 'mails'>, kind: MailKind, recipient: string, client: Client) => {
      const now = clock();
      const expires_at = new Date(now.getTime() + usefulSeconds[kind] * 1000);
      return mails.create({ kind, recipient, created_at: now, expires_at, ...client });
    },

    wake,
  };
}

export type Outbox = ReturnType<typeof createOutbox>;
