import type { MailKind, Repositories } from '@quoin/db';
import type { Client } from '../http/client.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Rate } from '../http/throttle/memory-store.ts';

/** For how long it is worth trying to send a mail. */
const usefulSeconds: Record<MailKind, number> = {
  reset_password: 3_600,
  set_password: 3_600,
  verify_email: 86_400,
  password_changed: 3 * 86_400,
  email_changed: 3 * 86_400,
  username_changed: 3 * 86_400,
};

/** Mails to one recipient. The second bucket leaves room for notices, which tell the owner of an account that it has changed. */
const perRecipient: Rate = { burst: 20, perMinute: 0.5 };
const requestedPerRecipient: Rate = { burst: 12, perMinute: 0.2 };
const notices: readonly MailKind[] = ['password_changed', 'email_changed', 'username_changed'];

/** Most mail systems deliver `name+tag@example.com` to `name@example.com`. */
const mailboxOf = (recipient: string) => recipient.replace(/\+[^@]*@/, '@');

function bucketsOf(kind: MailKind, recipient: string) {
  const key = mailboxOf(recipient);
  const buckets = [{ name: 'mail', key, rate: perRecipient }];
  if (!notices.includes(kind)) buckets.push({ name: 'requested mail', key, rate: requestedPerRecipient });
  return buckets;
}

/** A mail that may be posted, or that is left out because its recipient has had too many. */
export interface Permit {
  kind: MailKind;
  recipient: string;
  isAllowed: boolean;
}

interface Dependencies {
  clock: () => Date;
  limiter: Limiter;
  /** Sends what was posted, without waiting for the next look at the outbox. */
  wake?: () => void;
}

/**
 * Where a service leaves mails. A mail is written in the transaction of its cause, so that neither happens without the other. An attacker
 * could flood a stranger with mails, so each mail needs a permit. Ask for it before the transaction, and call `wake` after it.
 */
export function createOutbox({ clock, limiter, wake = () => {} }: Dependencies) {
  return {
    /** Takes room for a mail from the recipient's bucket. */
    permit: async (kind: MailKind, recipient: string): Promise<Permit> => ({
      kind,
      recipient,
      isAllowed: await limiter.allows(bucketsOf(kind, recipient)),
    }),

    /** Gives back the room of a mail that was not posted. */
    release: async ({ kind, recipient, isAllowed }: Permit): Promise<void> => {
      if (isAllowed) await limiter.giveBack(bucketsOf(kind, recipient));
    },

    /** Posts a mail that may be posted. @param client whose request causes the mail */
    post: async (
      { mails }: Pick<Repositories, 'mails'>,
      { kind, recipient, isAllowed }: Permit,
      { user_agent, ip_address, request_id }: Client,
    ): Promise<void> => {
      if (!isAllowed) return;
      const now = clock();
      const expires_at = new Date(now.getTime() + usefulSeconds[kind] * 1000);
      await mails.create({ kind, recipient, created_at: now, expires_at, user_agent, ip_address, request_id });
    },

    wake,
  };
}

export type Outbox = ReturnType<typeof createOutbox>;
